"""The GPU as a device, as far as it goes without one: arrays on their way there and back, host time, refusals."""

import types

import ml_dtypes
import numpy as np
import pytest

import gpudl
from gpudl import _backend, cli
from gpudl.bench.contender import UnsupportedError
from gpudl.bench.cuda import CudaDevice, _version
from gpudl.bench.nvml import Monitor
from tests.support.fake_cupy import FakeCupy
from tests.support.kernels import require_simt
from tests.support.strict_cupy import strict_cupy

without_gpu = pytest.mark.skipif(_backend.unavailable_because("cuda") is None, reason="there is a GPU")


@pytest.fixture
def device():
    """Without its constructor, which asks the driver."""
    require_simt()
    made = object.__new__(CudaDevice)
    with strict_cupy() as made._cupy:
        yield made


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, np.int64, np.uint8])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2), (2, 0, 3, 1)])
def test_arrays_arrive_with_their_strides_and_come_back(device, axes, dtype):
    values = np.random.default_rng(0).integers(0, 100, (2, 3, 4, 5)).astype(dtype).transpose(axes)
    placed = device.place({"x": values}, "array")["x"]
    assert placed.strides == values.strides
    assert placed.dtype == values.dtype
    assert isinstance(placed, device._cupy.ndarray)
    (back,) = device.fetch(placed)
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, values.astype(np.float64))


def test_results_may_be_arrays_tensors_and_numbers(device):
    torch = pytest.importorskip("torch")
    here = device.place({"x": np.arange(3, dtype=np.float32)}, "array")["x"]
    there = torch.arange(3, dtype=torch.bfloat16, requires_grad=True)
    results = device.fetch([here, there, 2.5])
    np.testing.assert_array_equal(results[0], [0, 1, 2])
    np.testing.assert_array_equal(results[1], [0, 1, 2])
    assert results[2] == 2.5
    assert device.fetch(None) == ()


@pytest.mark.torch
def test_pytorch_without_a_gpu_is_no_way_of_doing_it(device):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("PyTorch sees a GPU")
    with pytest.raises(UnsupportedError, match="this PyTorch sees no GPU"):
        device.place({"x": np.zeros(3, np.float32)}, "torch")


def test_host_time_is_that_of_calls_nobody_waits_for(device):
    cupy, ticks = FakeCupy(), iter(range(1000))
    device._stream, device._clock = cupy.stream(), lambda: next(ticks) * 1e-5
    assert device.host_seconds(lambda: cupy.log.append("call")) == pytest.approx(1e-5)
    assert cupy.log == ["synchronize", *["call"] * 20, "synchronize"]


def test_host_time_of_calls_that_wait_takes_few_of_them(device):
    cupy, ticks = FakeCupy(), iter(range(1000))
    device._stream, device._clock = cupy.stream(), lambda: next(ticks) * 0.15
    assert device.host_seconds(lambda: cupy.log.append("call")) == pytest.approx(0.15)
    assert cupy.log.count("call") == 2


def test_a_gpu_that_a_fault_has_taken_is_lost_and_nothing_more_is_asked_of_it(device):
    freed = []
    pool = types.SimpleNamespace(free_all_blocks=lambda: freed.append("CuPy's"))
    device._stream, device._timers = FakeCupy().stream(), {(1,): "a timer"}
    device._cupy.get_default_memory_pool = lambda: pool
    assert device.lost() is None
    device.release()
    assert (device._timers, freed) == ({}, ["CuPy's"])

    def fault():
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    device._stream, device._timers = types.SimpleNamespace(synchronize=fault), {(1,): "a timer"}
    assert device.lost() == "cudaErrorIllegalAddress: an illegal memory access was encountered"
    device.release()
    assert (device._timers, freed) == ({}, ["CuPy's"])


def test_versions_read_as_people_write_them():
    assert [_version(13000), _version(12080), _version(11080)] == ["13.0", "12.8", "11.8"]


@without_gpu
def test_no_gpu_is_one_line_that_says_why(capsys, tmp_path):
    with pytest.raises(gpudl.BackendError):
        CudaDevice()
    folder = tmp_path / "run"
    assert cli.main(["bench", "conv2d_forward", "--quick", "--device", "cuda", "--output", str(folder)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("gpudl bench: ")
    assert printed.err.count("\n") == 1
    assert str(_backend.unavailable_because("cuda")) in printed.err
    assert not folder.exists(), "nothing was begun"


class FakeNvml:
    """pynvml's functions, of which this GPU answers some."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    class NVMLError(Exception):
        pass

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlDeviceGetHandleByPciBusId(self, bus_id):  # noqa: N802
        if bus_id != "0000:01:00.0":
            raise self.NVMLError("Not Found")
        return "handle"

    def nvmlSystemGetDriverVersion(self):  # noqa: N802
        return "580.1"

    def nvmlDeviceGetEnforcedPowerLimit(self, handle):  # noqa: N802
        return 700_000

    def nvmlDeviceGetPowerUsage(self, handle):  # noqa: N802
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):  # noqa: N802
        return 0x5

    def nvmlDeviceGetClockInfo(self, handle, kind):  # noqa: N802
        return {self.NVML_CLOCK_SM: 1980}[kind]

    def nvmlDeviceGetTemperature(self, handle, sensor):  # noqa: N802
        return {self.NVML_TEMPERATURE_GPU: 41}[sensor]


@pytest.fixture
def nvml(monkeypatch):
    import importlib.util
    import sys

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "here" if name == "pynvml" else real(name))
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())


def test_telemetry_in_our_units_and_none_for_what_the_gpu_does_not_tell(nvml):
    monitor = Monitor("0000:01:00.0")
    assert monitor.describe() == {"driver": "580.1", "power_limit_w": 700.0}
    sample = monitor.sample()
    assert (sample.clock_mhz, sample.temperature_c, sample.power_w) == (1980, 41, None)
    assert sample.throttled == "power cap"


def test_a_gpu_that_nvml_does_not_know_has_no_telemetry(nvml):
    monitor = Monitor("0000:02:00.0")
    assert monitor.describe() == {"telemetry": "NVML: Not Found"}
    assert monitor.sample().throttled is None


def test_without_nvml_the_run_says_so(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "nvidia-ml-py is not installed" in Monitor("0000:01:00.0").describe()["telemetry"]

"""A user's file of kernels as a contender: on the CPU executor, and as nvcc compiles it."""

import ctypes
import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import gpudl
from gpudl import bench, simt
from gpudl.bench import kernels
from gpudl.bench.contender import CONTENDERS
from gpudl.simt import _build

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bench" / "mine.cu"


def no_nvcc():
    return kernels._build_cuda().find_nvcc() is None


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The example by nvcc, for one architecture."""
    if no_nvcc():
        pytest.skip("there is no nvcc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUDL_CUDA_ARCHITECTURES", "80")
        patch.setattr(_build, "objects_folder", lambda: tmp_path_factory.mktemp("objects"))
        return kernels._CudaModule(EXAMPLE, ())


@pytest.mark.parametrize("shape", [(0,), (1,), (257,), (2, 3, 5, 7)])
def test_the_executor_runs_a_file_on_numpy_arrays(shape):
    if (reason := simt.unavailable_because()) is not None:
        pytest.skip(reason)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    if x.ndim == 4:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    y = np.empty_like(x)
    mine = bench.compile(EXAMPLE)
    mine.launch_relu(bench.memory(x), bench.memory(y), x.size)
    np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_memory_is_a_view_in_the_order_of_the_elements():
    x = np.arange(120.0).reshape(2, 4, 5, 3).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(bench.memory(x).ravel(), np.arange(120.0))
    assert np.shares_memory(bench.memory(x), x)


def test_nvcc_is_asked_for_the_gpu_and_finds_the_headers(tmp_path):
    command = kernels.command_of("nvcc", tmp_path / "mine.cu", (tmp_path / "include",), ("-gencode=a",))
    csrc = _build.sources()
    assert command[0] == "nvcc"
    assert command[-1] == "-gencode=a"
    folders = [argument[2:] for argument in command if argument.startswith("-I")]
    assert folders == [str(path) for path in (csrc, csrc / "simt", tmp_path, tmp_path / "include")]
    assert command[command.index("-Xcompiler") + 1] == "-fPIC"


def test_nvcc_compiles_the_file_and_it_exports_its_launcher(library):
    assert {"launch_relu", "gpudl_set_stream", "gpudl_last_error"} <= exported(library._path)


def exported(path):
    printed = subprocess.run(
        ["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True
    ).stdout
    return {line.split()[-1] for line in printed.splitlines()}


class FakeArray:
    """What a launcher is given of a CuPy array."""

    def __init__(self, c_contiguous=True):
        self.flags = types.SimpleNamespace(c_contiguous=c_contiguous)
        self.strides, self.dtype = (4,), np.dtype(np.float32)
        self.data = types.SimpleNamespace(ptr=0x1000)


@pytest.fixture
def cupy(monkeypatch):
    stream = types.SimpleNamespace(ptr=0x2000)
    cuda = types.SimpleNamespace(get_current_stream=lambda: stream)
    fake = types.SimpleNamespace(ndarray=FakeArray, cuda=cuda)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    return fake


@pytest.mark.skipif(gpudl._backend.unavailable_because("cuda") is None, reason="there is a GPU")
def test_a_launch_that_fails_says_what_cuda_says(library, cupy):
    """Where no driver is, every launch fails."""
    with pytest.raises(gpudl.CudaError, match=r"launch_relu at mine\.so:0: .*CUDA"):
        library.launch_relu(FakeArray(), FakeArray(), 5)


def test_the_current_stream_is_set_before_each_call(cupy):
    log = []
    module = object.__new__(kernels._CudaModule)
    module._path = Path("mine.so")

    class Launcher:
        def __call__(self, *arguments):
            log.append(("launch", arguments[0].value, arguments[1].value))

    module._library = types.SimpleNamespace(
        gpudl_set_stream=lambda pointer: log.append(("stream", pointer)),
        gpudl_last_error=lambda: None,
        launch_relu=Launcher(),
    )
    module.launch_relu(FakeArray(), 7)
    cupy.cuda.get_current_stream = lambda: types.SimpleNamespace(ptr=0x3000)
    module.launch_relu(FakeArray(), 8)
    assert log == [("stream", 0x2000), ("launch", 0x1000, 7), ("stream", 0x3000), ("launch", 0x1000, 8)]


def test_cupy_arrays_run_by_nvcc_and_numpy_arrays_by_the_executor(cupy, monkeypatch):
    made = []

    def module(name):
        def make(source, include):
            made.append((name, source, include))
            return types.SimpleNamespace(launch_relu=lambda *arguments: made.append(name))

        return make

    monkeypatch.setattr(kernels, "_CudaModule", module("cuda"))
    monkeypatch.setattr(kernels, "_simt_module", module("simt"))
    mine = bench.compile(EXAMPLE, include=(str(EXAMPLE.parent),))
    assert made == [], "nothing is compiled before it is called"
    mine.launch_relu(np.zeros(3), 1)
    mine.launch_relu(FakeArray(), 1)
    mine.launch_relu(FakeArray(), 1)
    include = (EXAMPLE.parent,)
    assert made == [("simt", EXAMPLE, include), "simt", ("cuda", EXAMPLE, include), "cuda", "cuda"]


def test_arrays_of_the_gpu_must_be_contiguous(library, cupy):
    with pytest.raises(ValueError, match="argument 1 must be C-contiguous"):
        library.launch_relu(FakeArray(), FakeArray(c_contiguous=False), 5)
    with pytest.raises(TypeError, match=r"argument 0 must be an array or a number \(.*\), got ndarray"):
        library.launch_relu(np.zeros(3, np.float32), FakeArray(), 5)


def test_a_launcher_that_is_not_there(library, cupy):
    with pytest.raises(AttributeError, match=r'mine\.so has no extern "C" function launch_tanh'):
        library.launch_tanh(FakeArray())


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"bench\.compile: there is no file"):
        bench.compile("no_such_file.cu")
    with pytest.raises(NotADirectoryError, match=r"bench\.compile: include: there is no folder"):
        bench.compile(EXAMPLE, include=("no_such_folder",))
    with pytest.raises(TypeError, match=r"bench\.compile: include must be a tuple of folders, got 'headers'"):
        bench.compile(EXAMPLE, include="headers")


def test_what_nvcc_refuses_is_shown(tmp_path, monkeypatch):
    if no_nvcc():
        pytest.skip("there is no nvcc")
    monkeypatch.setenv("GPUDL_CUDA_ARCHITECTURES", "80")
    monkeypatch.setattr(_build, "objects_folder", lambda: tmp_path)
    (tmp_path / "bad.cu").write_text("#include <simt.h>\nint f() { return nothing; }\n")
    with pytest.raises(simt.CompileError, match=r"bad\.cu\(2\)"):
        kernels.build(tmp_path / "bad.cu")


def test_without_nvcc_the_reason_is_told(tmp_path, monkeypatch):
    without = types.SimpleNamespace(find_nvcc=lambda: None)
    monkeypatch.setattr(kernels, "_build_cuda", lambda: without)
    with pytest.raises(simt.CompileError, match="no nvcc was found"):
        kernels.build(EXAMPLE)


def test_numbers_are_passed_by_their_type():
    from gpudl.simt._arguments import as_c

    for value, kind in (
        (np.float32(2), ctypes.c_float),
        (2.0, ctypes.c_double),
        (np.int32(2), ctypes.c_int32),
        (-(2**63), ctypes.c_int64),
        (True, ctypes.c_bool),
    ):
        assert isinstance(as_c("f", 0, value, np.ndarray, id), kind)


def test_the_example_registers_contenders_that_are_right(monkeypatch):
    if (reason := simt.unavailable_because()) is not None:
        pytest.skip(reason)
    monkeypatch.setitem(CONTENDERS, "relu_forward", {})
    spec = importlib.util.spec_from_file_location("mine", EXAMPLE.with_name("mine.py"))
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    those = CONTENDERS["relu_forward"]
    assert set(those) == {"mine.cu", "RawKernel", "torch.clamp"}
    assert those["RawKernel"].devices == ("cuda",)
    x = np.random.default_rng(0).standard_normal((2, 5, 7, 3)).astype(np.float32).transpose(0, 3, 1, 2)
    y = those["mine.cu"].prepare({"x": x}, {}).call()
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    with pytest.raises(bench.UnsupportedError, match="float32 only"):
        those["mine.cu"].prepare({"x": x.astype(np.float16)}, {}).call()
    torch = pytest.importorskip("torch")
    clamped = those["torch.clamp"].prepare({"x": torch.from_numpy(x)}, {}).call()
    np.testing.assert_array_equal(clamped.numpy(), np.maximum(x, 0))

"""Timing on a GPU: CuPy arrays, PyTorch's tensors, CUDA graphs and events on one stream."""

from __future__ import annotations

import contextlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

import gpudl
from gpudl import _backend
from gpudl.bench import rules, torch_modes
from gpudl.bench.contender import UnsupportedError
from gpudl.bench.cpu import host_tensor
from gpudl.bench.cuda_timer import Timer
from gpudl.bench.device import Ceilings, Device, HowTimed, as_arrays, host_float64
from gpudl.bench.nvml import Monitor
from gpudl.bench.problem import DTYPES, Inputs, Results

COPY_BYTES = 1 << 30  # several times any L2
MATMUL_EXTENT = 8192
HOST_CALLS, HOST_SECONDS = 20, 0.2  # of a row's host_seconds, at most
EMPTY_KERNEL = 'extern "C" __global__ void nothing() {}'
# By what is multiplied: the types of factors and of the sum, as cuBLAS names them. float32 is IEEE's.
_PRODUCTS = {
    "float32": ("CUDA_R_32F", "CUBLAS_COMPUTE_32F"),
    "tf32": ("CUDA_R_32F", "CUBLAS_COMPUTE_32F_FAST_TF32"),
    "float16": ("CUDA_R_16F", "CUBLAS_COMPUTE_32F"),
    "bfloat16": ("CUDA_R_16BF", "CUBLAS_COMPUTE_32F"),
    "float64": ("CUDA_R_64F", "CUBLAS_COMPUTE_64F"),
}


class CudaDevice(Device):
    """The current GPU. BackendError says why there is none."""

    name = "cuda"
    caches = ("cold", "warm")

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        if (reason := _backend.unavailable_because("cuda")) is not None:
            raise _backend.BackendError(reason)
        import cupy

        self._cupy, self._clock = cupy, clock
        self._runtime = cupy.cuda.runtime
        self._properties = self._runtime.getDeviceProperties(cupy.cuda.Device().id)
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._monitor = Monitor(cupy.cuda.Device().pci_bus_id)
        self._timers: dict[tuple[int, ...], Timer] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """All work goes to one stream. PyTorch looks for cuDNN's best plans, under the rules of the others: float32 is
        multiplied as IEEE does, sums are in float32, and plans give the same bits every time."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(gpudl.use_backend("cuda"))
            stack.enter_context(self._stream)
            if (torch := _torch()) is not None:
                stream = torch.cuda.ExternalStream(self._stream.ptr)
                stack.enter_context(torch.cuda.stream(stream))
                stack.enter_context(torch_modes.cudnn())
                stack.enter_context(torch_modes.exact_products())
            yield

    def describe(self) -> dict[str, Any]:
        properties, runtime = self._properties, self._runtime
        about = {
            "gpu": properties["name"].decode(),
            "compute_capability": f"{properties['major']}.{properties['minor']}",
            "multiprocessors": properties["multiProcessorCount"],
            "l2_bytes": properties["l2CacheSize"],
            "memory_bytes": properties["totalGlobalMem"],
            "driver_cuda": _version(runtime.driverGetVersion()),
            "cuda_runtime": _version(runtime.runtimeGetVersion()),
            "cupy": self._cupy.__version__,
            **self._monitor.describe(),
        }
        if (torch := _torch()) is not None:
            about |= {"torch_cuda": torch.version.cuda, "torch_cudnn": torch.backends.cudnn.version()}
        return about

    def place(self, inputs: Inputs, kind: str) -> dict[str, Any]:
        place = self._tensor if kind == "torch" else _moved
        return {name: place(array) for name, array in inputs.items()}

    def fetch(self, results: Any) -> Results:
        return tuple(host_float64(self._on_host(array)) for array in as_arrays(results))

    def copies(self, nbytes: int, cache: str) -> int:
        return rules.copies(nbytes, self._properties["l2CacheSize"], cache)

    def turn(self, calls: Sequence[Callable[[], Any]], count: int) -> list[float]:
        key = tuple(map(id, calls))
        if key not in self._timers:
            self._timers[key] = Timer(calls, self._cupy, self._stream, self._monitor)
        return self._timers[key].readings(count)

    def how_timed(self, calls: Sequence[Callable[[], Any]]) -> HowTimed:
        return self._timers[tuple(map(id, calls))].how()

    def release(self) -> None:
        """Also of memory that CuPy and PyTorch hold back: neither sees what the other has."""
        lost = self.lost()
        self._timers.clear()
        if lost is not None:
            return
        self._cupy.get_default_memory_pool().free_all_blocks()
        if (torch := _torch()) is not None:
            torch.cuda.empty_cache()

    def lost(self) -> str | None:
        """A kernel that reads or writes where it must not takes everything with it that the process has on the GPU."""
        try:
            self._stream.synchronize()
        except Exception as error:  # which type it is depends on the version of CuPy
            return str(error)
        return None

    def host_seconds(self, call: Callable[[], Any]) -> float | None:
        """Of calls that only queue their work: nobody waits in between."""
        self._stream.synchronize()
        seconds: list[float] = []
        while len(seconds) < HOST_CALLS and sum(seconds) < HOST_SECONDS:
            start = self._clock()
            call()
            seconds.append(self._clock() - start)
        self._stream.synchronize()
        return statistics.median(seconds)

    def ceilings(self) -> Ceilings:
        matmul = {name: self._matmul_rate(name) for name in _PRODUCTS}
        return Ceilings(self._copy_rate(), matmul, self._launch_seconds())

    # ---- arrays

    def _tensor(self, array: np.ndarray) -> Any:
        tensor = host_tensor(array)
        if _torch() is None:
            raise UnsupportedError("this PyTorch sees no GPU")
        return tensor.to("cuda")  # strides of dense tensors are kept

    def _on_host(self, array: Any) -> Any:
        if hasattr(array, "detach"):
            return array.detach().cpu()
        return _backend.move(array, "cpu")

    # ---- ceilings

    def _copy_rate(self) -> float:
        nbytes = min(COPY_BYTES, self._properties["totalGlobalMem"] // 8)
        source, target = (self._cupy.full(nbytes, fill, np.uint8) for fill in (1, 2))
        to_device = self._runtime.memcpyDeviceToDevice

        def copy() -> None:
            self._runtime.memcpyAsync(target.data.ptr, source.data.ptr, nbytes, to_device, self._stream.ptr)

        return 2 * nbytes / self._fastest(copy)

    def _matmul_rate(self, name: str) -> float:
        """A product of random numbers by cuBLAS, whose sums are in float32 (float64)."""
        n, dtype = MATMUL_EXTENT, DTYPES["float32" if name == "tf32" else name]
        rng = np.random.default_rng(0)
        a, b = (_moved((rng.random((n, n), np.float32) * 2 - 1).astype(dtype)) for _ in range(2))
        out = _moved(np.zeros((n, n), dtype))
        cublas, (kind, compute) = self._cupy.cuda.cublas, _PRODUCTS[name]
        factor = getattr(self._runtime, kind)
        one, zero = (np.array(value, np.float64 if name == "float64" else np.float32) for value in (1, 0))
        handle = self._cupy.cuda.Device().cublas_handle

        def product() -> None:
            cublas.gemmEx(
                handle, cublas.CUBLAS_OP_N, cublas.CUBLAS_OP_N, n, n, n,
                one.ctypes.data, a.data.ptr, factor, n, b.data.ptr, factor, n,
                zero.ctypes.data, out.data.ptr, factor, n,
                getattr(cublas, compute), cublas.CUBLAS_GEMM_DEFAULT,
            )  # fmt: skip

        return 2 * n**3 / self._fastest(product)

    def _launch_seconds(self) -> float:
        kernel = self._cupy.RawKernel(EMPTY_KERNEL, "nothing")
        return self._fastest(lambda: kernel((1,), (1,), ()))

    def _fastest(self, call: Callable[[], Any]) -> float:
        seconds = min(statistics.median(self.turn([call], 3)) for _ in range(3))
        self.release()
        return seconds


def _moved(array: np.ndarray) -> Any:
    return _backend.move(array, "cuda")


def _torch() -> ModuleType | None:
    """PyTorch, where it is and sees a GPU."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch if torch.cuda.is_available() else None


def _version(number: int) -> str:
    """CUDA's way of counting: 13020 is 13.2."""
    return f"{number // 1000}.{number % 1000 // 10}"

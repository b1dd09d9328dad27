"""Timing on the CPU: NumPy arrays, and PyTorch's tensors over the same memory."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np

import gpudl
from gpudl import _machine
from gpudl.bench.device import Ceilings, Device, as_arrays, host_float64
from gpudl.bench.problem import Inputs, Results

SETTLE = 0.05  # seconds; OpenMP's threads spin for a while after their work and would slow the next contender
COPY_BYTES = 1 << 28
MATMUL_EXTENT = 2048


class CpuDevice(Device):
    name = "cpu"
    caches = ("warm",)  # the layers of a network find in cache what the one before has left there

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], Any] = time.sleep
    ):
        self._clock, self._sleep = clock, sleep

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """PyTorch, where it is, gets as many threads as gpudl."""
        if importlib.util.find_spec("torch") is None:
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(gpudl.get_num_threads())
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def describe(self) -> dict[str, Any]:
        return {
            "cpu": _machine.processor_name(),
            "cores": _machine.cores(),
            "threads": gpudl.get_num_threads(),
            "system": platform.platform(terse=True),
        }

    def place(self, inputs: Inputs, kind: str) -> dict[str, Any]:
        own = {name: array.copy(order="K") for name, array in inputs.items()}
        return {name: host_tensor(array) if kind == "torch" else array for name, array in own.items()}

    def fetch(self, results: Any) -> Results:
        return tuple(host_float64(array) for array in as_arrays(results))

    def copies(self, nbytes: int, cache: str) -> int:
        return 1

    def turn(self, calls: Sequence[Callable[[], Any]], count: int) -> list[float]:
        self._sleep(SETTLE)
        calls[0]()
        seconds = []
        for i in range(count):
            call = calls[i % len(calls)]
            start = self._clock()
            call()
            seconds.append(self._clock() - start)
        return seconds

    def host_seconds(self, call: Callable[[], Any]) -> float | None:
        return None

    def ceilings(self) -> Ceilings:
        return Ceilings(self._copy_rate(), {name: self._matmul_rate(name) for name in ("float32", "float64")})

    def _copy_rate(self) -> float:
        source = np.ones(COPY_BYTES, np.uint8)
        target = np.empty_like(source)
        return 2 * COPY_BYTES / self._fastest(lambda: np.copyto(target, source))

    def _matmul_rate(self, dtype: str) -> float:
        a = np.random.default_rng(0).random((MATMUL_EXTENT, MATMUL_EXTENT)).astype(dtype)
        out = np.empty_like(a)
        return 2 * MATMUL_EXTENT**3 / self._fastest(lambda: np.matmul(a, a, out=out))

    def _fastest(self, call: Callable[[], Any]) -> float:
        return min(statistics.median(self.turn([call], 3)) for _ in range(3))


def host_tensor(array: np.ndarray) -> Any:
    import torch

    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)

"""What is timed on: how arrays get there, how calls are timed, what the machine can do at best."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gpudl.bench.problem import Inputs, Results


class DeviceLostError(RuntimeError):
    """The device does nothing more for this process; for another one it may."""


@dataclasses.dataclass(frozen=True)
class Ceilings:
    """Measured in the run itself: bytes a second of a copy (read and written), operations a second of a matrix product
    by dtype, and seconds of an empty launch (0 on a CPU)."""

    copy: float
    matmul: dict[str, float]
    launch: float = 0

    def floor(self, flops: float, bytes_moved: float, math: str) -> tuple[float, str]:
        """Seconds that work takes at least, and what binds: max(flops / rate, bytes / bandwidth, one launch).

        math : a dtype, or "tf32".
        """
        rate = self.matmul.get(math, self.matmul["float32"])
        return max((flops / rate, "math"), (bytes_moved / self.copy, "memory"), (self.launch, "launch"))


@dataclasses.dataclass(frozen=True)
class Telemetry:
    clock_mhz: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    throttled: str | None = None


@dataclasses.dataclass(frozen=True)
class HowTimed:
    """What a reader should know of a contender's readings.

    calls : that one reading is the mean of. remark : how they were taken, for the row. telemetry : while they were.
    """

    calls: int = 1
    remark: str = ""
    telemetry: Telemetry = Telemetry()


class Device(abc.ABC):
    """A machine to time on. The harness knows no more of it than this."""

    name: str  # "cpu" or "cuda"
    caches: tuple[str, ...]  # how inputs are found, of "warm" and "cold"

    @abc.abstractmethod
    def describe(self) -> dict[str, Any]:
        """Names and versions that a reader needs to judge the figures."""

    @abc.abstractmethod
    def place(self, inputs: Inputs, kind: str) -> dict[str, Any]:
        """Copies of inputs as a contender's `arrays` wants them here, strides kept. They are the contender's own: one
        that writes into its inputs spoils nobody else's."""

    @abc.abstractmethod
    def fetch(self, results: Any) -> Results:
        """What a contender returned, as float64 arrays of the host."""

    @abc.abstractmethod
    def copies(self, nbytes: int, cache: str) -> int:
        """How many sets of inputs the calls rotate through so that they find the cache as asked."""

    @abc.abstractmethod
    def turn(self, calls: Sequence[Callable[[], Any]], count: int) -> list[float]:
        """`count` readings of the seconds that a call takes, one set of inputs after the other.

        It is asked again and again with the same `calls`, until `release`.
        """

    @abc.abstractmethod
    def host_seconds(self, call: Callable[[], Any]) -> float | None:
        """What a call costs the host, where the device runs by itself."""

    @abc.abstractmethod
    def ceilings(self) -> Ceilings:
        """Measured, now."""

    def how_timed(self, calls: Sequence[Callable[[], Any]]) -> HowTimed:
        """Of calls that have had turns."""
        return HowTimed()

    def release(self) -> None:  # noqa: B027 (most devices keep nothing)
        """The calls that had turns so far have no more: what is kept of them goes."""

    def lost(self) -> str | None:
        """Why it does nothing more for this process; None where it does."""
        return None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Around a whole run."""
        yield


def as_arrays(results: Any) -> list[Any]:
    """The arrays that a contender returned: none, one, or a tuple or list of them."""
    if results is None:
        return []
    return list(results) if isinstance(results, tuple | list) else [results]


def host_float64(value: Any) -> np.ndarray:
    """A NumPy array, a number, or a tensor on the CPU, in float64."""
    if hasattr(value, "detach"):
        value = value.detach().double().numpy()
    return np.asarray(value).astype(np.float64)

"""Seconds of a call on a GPU: replays of a captured CUDA graph between two events, or the calls themselves."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from gpudl.bench import rules
from gpudl.bench.device import HowTimed, Telemetry, as_arrays
from gpudl.bench.nvml import Monitor


class Timer:
    """Of the calls of one contender, which rotate through its sets of inputs.

    The first calls, which may compile and allocate, are not timed; they tell how many calls a reading takes. Results
    live until their set of inputs comes again, so that writing them does not find them in L2 either.
    """

    def __init__(
        self, calls: Sequence[Callable[[], Any]], cupy: ModuleType, stream: Any, monitor: Monitor
    ):  # fmt: skip
        self._cupy, self._stream, self._monitor = cupy, stream, monitor
        self._sets = len(calls)
        self._next = itertools.cycle(calls)
        self._results: deque[Any] = deque(maxlen=len(calls))
        self._throttled: dict[str, None] = {}  # in the order they came
        self._telemetry = Telemetry()
        self._pool: Any = None  # whose memory the graph writes to
        self._seconds = self._between_events(lambda: self._call(self._sets), self._sets)
        if self._seconds < rules.LONG:
            self._seconds = self._between_events(lambda: self._call(self._sets), self._sets)
        self._calls = rules.calls_per_reading(self._seconds, self._sets)
        self._replay: Callable[[], Any] | None = None  # of the graph, where there is one
        self._remark = self._prepare()

    def readings(self, count: int) -> list[float]:
        """Seconds of a call, one reading after the other without a pause; the caches are filled by one that is not
        counted, but where a call is long."""
        if self._calls > 1:
            self._reading()
        events = [(self._cupy.cuda.Event(), self._cupy.cuda.Event()) for _ in range(count)]
        for start, end in events:
            start.record(self._stream)
            self._reading()
            end.record(self._stream)
        self._note(self._monitor.sample())  # while the GPU works
        self._stream.synchronize()
        elapsed = self._cupy.cuda.get_elapsed_time
        return [rules.seconds_per_call(elapsed(start, end), self._calls) for start, end in events]

    def how(self) -> HowTimed:
        throttled = ", ".join(self._throttled) or None
        return HowTimed(self._calls, self._remark, dataclasses.replace(self._telemetry, throttled=throttled))

    def _reading(self) -> None:
        if self._replay is None:
            self._call(self._calls)
        else:
            self._replay()

    def _prepare(self) -> str:
        """Capture what can be captured; in words, what a reading is."""
        if self._calls == 1:
            return "events around one call"
        small = ""
        if self._sets == rules.MOST_COPIES:
            small = f"; {self._sets} sets of inputs, too small to leave L2"
        try:
            self._replay = self._captured()
        except Exception as failure:  # a contender is anybody's code, and much of it cannot be captured
            reason = f"{type(failure).__name__}: {failure}".partition("\n")[0][:160]
            self._call(self._sets)  # what a stopped capture has left half done is whole again
            return f"events around {self._calls} calls, not captured ({reason}){small}"
        return f"replays of a CUDA graph of {self._calls} calls{small}"

    def _captured(self) -> Callable[[], Any]:
        """A replay of so many calls. Memory of the capture is the graph's alone: whoever got it afterwards from the
        common pool would find it overwritten by the replays."""
        self._stream.synchronize()
        if any(hasattr(result, "detach") for result in as_arrays(self._results[-1])):
            return self._captured_by_torch()
        pool = self._cupy.cuda.MemoryPool()
        with self._cupy.cuda.using_allocator(pool.malloc):
            self._stream.begin_capture()
            try:
                self._call(self._calls)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._stream.end_capture()
                raise
            graph = self._stream.end_capture()
        self._pool = pool
        return functools.partial(graph.launch, self._stream)

    def _captured_by_torch(self) -> Callable[[], Any]:
        import torch

        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(capture_error_mode="relaxed")
        try:
            self._call(self._calls)
        except BaseException:
            with contextlib.suppress(Exception):
                graph.capture_end()
            raise
        graph.capture_end()
        return graph.replay

    def _call(self, count: int) -> None:
        for _ in range(count):
            self._results.append(next(self._next)())

    def _between_events(self, work: Callable[[], Any], calls: int) -> float:
        start, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        start.record(self._stream)
        work()
        end.record(self._stream)
        end.synchronize()
        return rules.seconds_per_call(self._cupy.cuda.get_elapsed_time(start, end), calls)

    def _note(self, sample: Telemetry) -> None:
        self._telemetry = sample
        words = sample.throttled.split(", ") if sample.throttled else []
        self._throttled |= dict.fromkeys(words)

"""One row form for every benchmark on the CPU: ours against PyTorch, verified, then timed interleaved.

A `bench_<op>.py` defines `cases()`, which yields `Case`s. `python -m bench` runs them all.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WARM_UP = 3  # calls of each side before any is timed
CALLS_PER_TURN = 3  # timed calls of one side before it is the other's turn
MIN_TURNS, MAX_TURNS = 4, 30
SECONDS_PER_CASE = 1.5
SETTLE = 0.05  # seconds; OpenMP's threads spin for a while after their work and would slow the other side


@dataclasses.dataclass(frozen=True)
class Case:
    """One operation of one size, by both libraries.

    op : the stem, e.g. "conv2d". direction : "forward", "backward", "backward_data", "step", ...
    workload : sizes in words, e.g. "(32, 64, 32, 32) -> 64, 3x3".
    ours, reference : the calls to time. Each returns what is compared before timing: an array or tensor, a
    tuple of them, or None where there is nothing to compare (say why beside it).
    dense : True for dense convolutions of 32 channels or more, which have a limit of their own.
    tolerance : largest |ours - reference| over the largest |reference|.
    """

    op: str
    direction: str
    workload: str
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    dense: bool = False
    tolerance: float = 1e-4


@dataclasses.dataclass(frozen=True)
class Row:
    """What one case gave. Times in milliseconds, medians over the calls; ratio is ours over PyTorch's."""

    op: str
    direction: str
    workload: str
    ours_ms: float
    torch_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    calls: int
    error: float
    dense: bool


def _arrays(result: Any) -> list[np.ndarray]:
    if result is None:
        return []
    items = result if isinstance(result, tuple | list) else [result]
    arrays = [item.detach().numpy() if hasattr(item, "detach") else np.asarray(item) for item in items]
    return [array.astype(np.float64) for array in arrays]


def verify(case: Case) -> float:
    """The error of ours, relative to the largest reference value; raises when it is too large."""
    ours, reference = _arrays(case.ours()), _arrays(case.reference())
    if len(ours) != len(reference):
        raise AssertionError(
            f"{case.op} {case.direction}: {len(ours)} results, reference has {len(reference)}"
        )
    worst = 0.0
    for mine, theirs in zip(ours, reference, strict=True):
        if mine.shape != theirs.shape:
            raise AssertionError(f"{case.op} {case.direction}: shape {mine.shape}, reference {theirs.shape}")
        if mine.size:
            scale = np.abs(theirs).max() or 1.0
            worst = max(worst, float(np.abs(mine - theirs).max() / scale))
    if not worst <= case.tolerance:
        raise AssertionError(f"{case.op} {case.direction} {case.workload}: error {worst:.2e}, so not timed")
    return worst


def _turn(function: Callable[[], Any]) -> list[float]:
    """Seconds of a few calls, after the other side's threads have gone to sleep and one call untimed."""
    time.sleep(SETTLE)
    function()
    seconds = []
    for _ in range(CALLS_PER_TURN):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


def measure(case: Case) -> Row:
    """Verify, warm up, then time both sides in turn until the time is up; ratio of the medians."""
    error = verify(case)
    for _ in range(WARM_UP):
        case.ours()
        case.reference()
    ours: list[float] = []
    reference: list[float] = []
    end = time.perf_counter() + SECONDS_PER_CASE
    turns = 0
    while turns < MAX_TURNS and (turns < MIN_TURNS or time.perf_counter() < end):
        ours += _turn(case.ours)
        reference += _turn(case.reference)
        turns += 1
    ratios = sorted(a / b for a, b in zip(ours, reference, strict=True))
    median_ours, median_reference = statistics.median(ours), statistics.median(reference)
    return Row(
        op=case.op,
        direction=case.direction,
        workload=case.workload,
        ours_ms=round(median_ours * 1e3, 4),
        torch_ms=round(median_reference * 1e3, 4),
        ratio=round(median_ours / median_reference, 3),
        ratio_low=round(ratios[len(ratios) // 4], 3),
        ratio_high=round(ratios[(3 * len(ratios)) // 4], 3),
        calls=len(ours),
        error=error,
        dense=case.dense,
    )

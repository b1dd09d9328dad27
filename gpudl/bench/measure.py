"""One problem: its contenders verified against float64, then timed in turns."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import gpudl
from gpudl.bench import text
from gpudl.bench.contender import Contender, Prepared, UnsupportedError
from gpudl.bench.device import Ceilings, Device, as_arrays
from gpudl.bench.problem import DTYPES, OPERATORS, TOLERANCES, Inputs, Problem, Results, widened
from gpudl.bench.record import Row

WARM_UP_SECONDS = 0.2  # of each contender
CALLS_PER_TURN = 5
MIN_TURNS, MAX_TURNS = 4, 12
LONGEST_DETAIL = 2000  # characters
_FAILURES = (Exception, SystemExit)  # of a contender, which is anybody's code: the others go on


@dataclasses.dataclass
class _Entrant:
    """A contender on the way through one problem, and what its row says so far."""

    contender: Contender
    row: Row
    calls: list[Callable[[], Any]] = dataclasses.field(default_factory=list)
    seconds: list[list[float]] = dataclasses.field(default_factory=list)  # by turn

    def note(self, **fields: Any) -> None:
        if "detail" in fields:
            fields["detail"] = fields["detail"][:LONGEST_DETAIL]
        self.row = dataclasses.replace(self.row, **fields)


def measure(
    problem: Problem, contenders: Sequence[Contender], device: Device, ceilings: Ceilings, seconds: float
) -> list[Row]:
    """A row for each contender and cache. `seconds`: of timed calls, for each contender."""
    inputs = cast(problem.inputs(np.random.default_rng(0)), problem.dtype)
    expected = _expected(problem, inputs)
    rows = []
    for cache in device.caches:
        entrants = [_Entrant(each, _empty_row(problem, each, cache)) for each in contenders]
        ready = [entrant for entrant in entrants if _make_ready(entrant, problem, inputs, expected, device)]
        for entrant in _timed(ready, device, seconds, problem.calls):
            _conclude(entrant, device, ceilings)
        device.release()
        rows += [entrant.row for entrant in entrants]
    return rows


def cast(inputs: Inputs, dtype: str) -> Inputs:
    """Floating-point arrays in another dtype, strides kept; the others as they are."""
    return {
        name: array.astype(DTYPES[dtype], order="K") if array.dtype == np.float32 else array
        for name, array in inputs.items()
    }


def error_of(results: Results, expected: Results) -> float:
    """The largest |result - expected| over the largest |expected|, over all arrays. ValueError: other shapes."""
    require_shapes(results, expected)
    worst = 0.0
    for result, right in zip(results, expected, strict=True):
        if right.size:
            scale = np.abs(right).max() or 1.0
            worst = max(worst, float(np.nan_to_num(np.abs(result - right).max() / scale, nan=np.inf)))
    return worst


def require_shapes(results: Results, expected: Results) -> None:
    shapes = [[array.shape for array in arrays] for arrays in (results, expected)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"results of shapes {shapes[0]}, expected {shapes[1]}")


def _empty_row(problem: Problem, contender: Contender, cache: str) -> Row:
    family, work, tolerance = OPERATORS[problem.operator].family, problem.work, problem.allowed_error
    if contender.math is not None:
        tolerance = max(tolerance, TOLERANCES[contender.math])
    return Row(
        problem.operator, family, problem.workload, problem.dtype, contender.name, cache, "ok", problem.group,
        tolerance=tolerance, flops=float(work.flops), bytes=float(work.bytes_moved(problem.dtype)),
        difference=contender.difference,
    )  # fmt: skip


def _expected(problem: Problem, inputs: Inputs) -> Results:
    """What right results give, in float64, from the inputs as they were rounded to the problem's dtype."""
    with gpudl.use_backend("cpu"):
        if problem.expected is not None:
            return problem.expected(inputs)
        from gpudl.bench.operators import gpudl_results

        exact = {
            name: widened(array) if array.dtype == DTYPES[problem.dtype] else array
            for name, array in inputs.items()
        }
        return problem.compared(gpudl_results(problem, exact))


def _make_ready(
    entrant: _Entrant, problem: Problem, inputs: Inputs, expected: Results, device: Device
) -> bool:
    """Prepare and verify; False, with the reason in the row, where it cannot be timed."""
    nbytes = sum(array.nbytes for array in inputs.values())
    try:
        prepared = [
            _prepared(entrant.contender, problem, inputs, device)
            for _ in range(device.copies(nbytes, entrant.row.cache))
        ]
        results = device.fetch(problem.part(as_arrays(prepared[0].results())))
        error = (problem.error or error_of)(problem.compared(results), expected)
    except UnsupportedError as reason:
        entrant.note(status="unsupported", detail=str(reason))
        return False
    except ImportError as missing:
        entrant.note(status="unsupported", detail=f"{missing}: pip install 'gpudl[bench]'")
        return False
    except _FAILURES as failure:
        entrant.note(status="failed", detail=_reason(failure))
        return False
    entrant.note(error=min(error, text.LARGEST_ERROR), detail=prepared[0].detail)
    if error > entrant.row.tolerance:
        entrant.note(status="wrong")
        return False
    entrant.calls = [each.call for each in prepared]
    return True


def _prepared(contender: Contender, problem: Problem, inputs: Inputs, device: Device) -> Prepared:
    return contender.prepare(device.place(inputs, contender.arrays), dict(problem.settings))


def _timed(entrants: Sequence[_Entrant], device: Device, seconds: float, calls: int | None) -> list[_Entrant]:
    """Turns of a few calls, contender after contender, who begins going round; until the time is used, or `calls` turns
    of one call."""
    going = list(entrants)
    if calls is not None:
        for turn in range(calls):
            _take_turns(going, turn, device, 1)
        return going
    for entrant in entrants:
        # Twice as many calls each time: a turn costs much more than a short call does.
        used, count = 0.0, 1
        while entrant in going and used < WARM_UP_SECONDS:
            used += _spent(_turn(entrant, going, device, count), entrant, device)
            count *= 2
    for turn in range(MAX_TURNS):
        _take_turns(going, turn, device, CALLS_PER_TURN)
        used = sum(_spent(readings, entrant, device) for entrant in going for readings in entrant.seconds)
        if turn + 1 >= MIN_TURNS and used >= seconds * len(going):
            break
    return going


def _take_turns(going: list[_Entrant], turn: int, device: Device, calls: int) -> None:
    for entrant in _rotated(going, turn):
        entrant.seconds.append(_turn(entrant, going, device, calls))


def _turn(entrant: _Entrant, going: list[_Entrant], device: Device, calls: int) -> list[float]:
    """Seconds of the calls; one that fails leaves the contest, with the reason in its row."""
    try:
        return device.turn(entrant.calls, calls)
    except _FAILURES as failure:
        entrant.note(status="failed", detail=_reason(failure))
        going.remove(entrant)
        return []


def _spent(readings: list[float], entrant: _Entrant, device: Device) -> float:
    """Seconds of all calls that the readings are means of."""
    return sum(readings) * device.how_timed(entrant.calls).calls if readings else 0.0


def _reason(failure: BaseException) -> str:
    return f"{type(failure).__name__}: {failure}"


def _rotated(entrants: Sequence[_Entrant], turn: int) -> list[_Entrant]:
    first = turn % max(len(entrants), 1)
    return [*entrants[first:], *entrants[:first]]


def _conclude(entrant: _Entrant, device: Device, ceilings: Ceilings) -> None:
    try:
        host_seconds = device.host_seconds(entrant.calls[0])
    except _FAILURES as failure:
        entrant.note(status="failed", detail=_reason(failure))
        return
    readings = [reading for turn in entrant.seconds for reading in turn]
    low, median, high = statistics.quantiles(
        readings * 2 if len(readings) == 1 else readings, n=4, method="inclusive"
    )
    how, row = device.how_timed(entrant.calls), entrant.row
    floor, bound = ceilings.floor(row.flops, row.bytes, entrant.contender.math or row.dtype)
    entrant.note(
        seconds=median,
        low=low,
        high=high,
        turns=tuple(statistics.median(turn) for turn in entrant.seconds),
        calls=len(readings) * how.calls,
        host_seconds=host_seconds,
        floor=floor,
        bound=bound,
        share=floor / median,
        detail="; ".join(filter(None, (entrant.row.detail, how.remark))),
        **dataclasses.asdict(how.telemetry),
    )

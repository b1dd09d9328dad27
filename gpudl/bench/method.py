"""How a run was measured, in words: the rules that it kept, and what they came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpudl.bench import measure, text
from gpudl.bench.record import Record, Row

_CACHES = {
    "warm": "warm: a call finds in the caches what the call before it has left there",
    "cold": "cold: calls go round so many sets of inputs that none is found in the L2 cache",
}


def title(record: Record) -> str:
    return f"gpudl beside others on {record.processor}"


def lines(record: Record) -> list[str]:
    run, rows = record.run, record.rows
    return [
        f"{len(record.done)} problems, {len(rows)} rows",
        *(_process("gone on with" if i else "begun", each) for i, each in enumerate([run, *record.resumed])),
        _verified(rows),
        "inputs are random; dtype, layout, math mode, workspace limit and determinism are the same for all contenders, "
        "or the difference stands in the row",
        _turns(rows),
        *(words for cache, words in _CACHES.items() if any(row.cache == cache for row in rows)),
        f"ceilings measured in the same run: {_ceilings(record)}",
        "floor: the longest of operations over matrix rate, bytes that must cross memory once over copy rate, and one "
        "launch; share: floor over time; bound: which of the three it is",
        _host(rows),
        _telemetry(rows),
    ]


def _process(verb: str, process: Mapping[str, Any]) -> str:
    return f"{verb} {process['started']}: {_facts(process['device'])}; {_facts(process['machine'])}"


def _facts(facts: Mapping[str, Any]) -> str:
    """ "cpu AMD EPYC, cores 2": what a process says of its machine, nested objects without their names."""
    words = []
    for key, value in facts.items():
        words.append(_facts(value) if isinstance(value, dict) else f"{key} {value}")
    return ", ".join(word for word in words if word)


def _verified(rows: Sequence[Row]) -> str:
    compared = [row for row in rows if row.error is not None and row.tolerance]
    words = f"results of {len(compared)} rows were compared with float64 before any time was taken"
    right = [row.error / row.tolerance for row in compared if row.ok]
    if right:
        words += f"; the largest error of those timed is {max(right):.0%} of what was allowed"
    return f"{words}; {sum(row.status == 'wrong' for row in rows)} rows are wrong and were not timed"


def _turns(rows: Sequence[Row]) -> str:
    words = (
        f"contenders of a problem are warmed up for {measure.WARM_UP_SECONDS:g} s each, then take turns of a few "
        "calls, going round who begins"
    )
    if calls := [row.calls for row in rows if row.ok]:
        turns = [len(row.turns) for row in rows if row.ok]
        words += f": {_range(turns)} turns, {_range(calls)} calls of each"
    return (
        f"{words}; times are medians of the calls; ratios are gpudl's time over the other's in the same turn, medians "
        "of the turns, with quartiles: below 1 gpudl is faster"
    )


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _ceilings(record: Record) -> str:
    """One value for each process that measured them."""
    values: dict[str, list[str]] = {}
    for ceiling in record.ceilings:
        values.setdefault(ceiling.name, []).append(text.rate(ceiling.value, ceiling.unit))
    return "; ".join(f"{name} {', then '.join(those)}" for name, those in values.items()) or "none"


def _host(rows: Sequence[Row]) -> str:
    if any(row.host_seconds is not None for row in rows):
        return "host: what one call costs the host, timed apart; it is in no other figure"
    return "the calls run on the host itself, so their cost there is in their time"


def _telemetry(rows: Sequence[Row]) -> str:
    words = []
    for name, unit in (("clock_mhz", "MHz"), ("power_w", "W"), ("temperature_c", "degrees C")):
        if values := [value for row in rows if (value := getattr(row, name)) is not None]:
            words.append(f"{_range(values)} {unit}")
    if not words:
        return "clocks, power and temperature are not known on this device"
    throttled = sum(row.throttled is not None for row in rows)
    return (
        f"after the last turn: {', '.join(words)}; {throttled} rows were taken while throttled and are marked"
    )

"""What the rows of a run say together: ratios from paired turns, and their geometric means."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from gpudl.bench.operators import OURS
from gpudl.bench.record import Row


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Time of gpudl over that of a contender: below 1 gpudl is faster. Median and quartiles of the turns' ratios."""

    median: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row, and how gpudl stands to it in the same turns: None for gpudl's own, and where one of both has no time."""

    row: Row
    ratio: Ratio | None


@dataclasses.dataclass(frozen=True)
class Mean:
    """The geometric mean of the ratios against one contender.

    over : the rows that it is taken over: a family, a group, or "all". faster : in how many of them gpudl is.
    """

    over: str
    contender: str
    dtype: str
    cache: str
    value: float
    count: int
    faster: int


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Turn i of one over turn i of the other: what slows the machine for a while slows both."""
    low, median, high = np.quantile(np.divide(ours, theirs), (0.25, 0.5, 0.75))
    return Ratio(float(median), float(low), float(high))


def entries(rows: Iterable[Row]) -> list[Entry]:
    """One for each row, in their order."""
    rows = list(rows)
    own = {(row.problem, row.cache): row for row in rows if row.contender == OURS and row.ok}
    return [Entry(row, _ratio(own.get((row.problem, row.cache)), row)) for row in rows]


def _ratio(ours: Row | None, row: Row) -> Ratio | None:
    if ours is None or ours is row or not row.ok or len(ours.turns) != len(row.turns):
        return None
    return paired_ratio(ours.turns, row.turns)


def means(those: Sequence[Entry]) -> list[Mean]:
    """Of each family, of each group, and of all; against each contender, by dtype and cache."""
    groups: dict[str, list[Entry]] = {}
    for entry in those:
        if entry.row.group:
            groups.setdefault(entry.row.group, []).append(entry)
    named = [*by_family(those).items(), *sorted(groups.items()), ("all", those)]
    return [mean for over, members in named for mean in _means(over, members)]


def _means(over: str, those: Iterable[Entry]) -> list[Mean]:
    ratios: dict[tuple[str, str, str], list[float]] = {}
    for entry in those:
        if entry.ratio is not None:
            key = (entry.row.contender, entry.row.dtype, entry.row.cache)
            ratios.setdefault(key, []).append(entry.ratio.median)
    return [
        Mean(over, *key, statistics.geometric_mean(values), len(values), sum(value < 1 for value in values))
        for key, values in sorted(ratios.items())
    ]


def by_family(those: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Families by name; in each, operators by name, then problems of which the worst ratio comes first."""
    families: dict[str, list[Entry]] = {}
    for entry in those:
        families.setdefault(entry.row.family, []).append(entry)
    return {family: _worst_first(families[family]) for family in sorted(families)}


def _worst_first(those: list[Entry]) -> list[Entry]:
    worst: dict[tuple, float] = {}
    for entry in those:
        ratio = -math.inf if entry.ratio is None else entry.ratio.median
        worst[_block(entry)] = max(worst.get(_block(entry), ratio), ratio)
    return sorted(
        those, key=lambda entry: (entry.row.operator, -worst[_block(entry)], _block(entry))
    )  # stable: contenders stay in their order


def _block(entry: Entry) -> tuple[tuple[str, str, str], str]:
    return entry.row.problem, entry.row.cache

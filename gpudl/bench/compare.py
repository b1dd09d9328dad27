"""Two runs side by side: which differences are more than noise."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from gpudl.bench import text
from gpudl.bench.record import Record, Row

FALSE_DISCOVERIES = 0.05  # of all differences that are called significant

Key = tuple[str, str, str, str, str]  # operator, workload, dtype, contender, cache


@dataclasses.dataclass(frozen=True)
class Change:
    """One row in both runs. before, after : medians of the turns, in seconds or as parts of the reference's time.

    p : of Mann and Whitney's test that turns of one run are as long as those of the other, corrected by Benjamini and
        Hochberg for the number of rows.
    """

    key: Key
    before: float
    after: float
    p: float

    @property
    def ratio(self) -> float:
        return self.after / self.before

    @property
    def significant(self) -> bool:
        return self.p <= FALSE_DISCOVERIES

    def beyond(self, threshold: float) -> bool:
        return abs(math.log(self.ratio)) > math.log1p(threshold)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """relative_to : the contender by whose time in the same turn every turn was divided, or None. processors : of both
    runs.

    broken, mended : rows that are ok in the one run only, with what became of them. only_before, only_after : rows of
    one run. without_reference : rows that could not be divided.
    """

    threshold: float
    relative_to: str | None
    processors: tuple[str, str]
    changes: list[Change]
    broken: list[tuple[Row, Row]]
    mended: list[tuple[Row, Row]]
    only_before: list[Key]
    only_after: list[Key]
    without_reference: list[Key]

    @property
    def slower(self) -> list[Change]:
        """Significant and beyond the threshold, the worst first."""
        return sorted((each for each in self._telling() if each.ratio > 1), key=lambda each: -each.ratio)

    @property
    def faster(self) -> list[Change]:
        return sorted((each for each in self._telling() if each.ratio < 1), key=lambda each: each.ratio)

    @property
    def uncertain(self) -> list[Change]:
        """Beyond the threshold, and not significant."""
        return [each for each in self.changes if not each.significant and each.beyond(self.threshold)]

    @property
    def worse(self) -> bool:
        return bool(self.slower or self.broken)

    def _telling(self) -> list[Change]:
        return [each for each in self.changes if each.significant and each.beyond(self.threshold)]


def compare(
    before: Record, after: Record, *, threshold: float = 0.05, relative_to: str | None = None
) -> Comparison:
    """Pair the rows of two runs. ValueError where they have none in common, or are of a CPU and of a GPU.

    threshold : 0.05 for 5 %: smaller differences are counted only. relative_to : a contender that both runs measured,
    such as "PyTorch": turns are divided by its turns in the same run, so that a machine that has become slower
    between the runs is no difference.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold must be a number of 0 or more, got {threshold}")
    devices = [record.run.get("device", {}).get("name") for record in (before, after)]
    if devices[0] != devices[1]:
        raise ValueError(f"the runs must be of one device, got {devices[0]} and {devices[1]}")
    olds, news = _rows(before), _rows(after)
    both = [key for key in olds if key in news]
    if not both:
        raise ValueError("the runs have no row in common")
    if relative_to is not None:
        _require_reference(relative_to, olds, news)
    pairs, without = [], []
    for key in both:
        if not (olds[key].ok and news[key].ok) or key[3] == relative_to:
            continue
        turns = _turns(key, olds, relative_to), _turns(key, news, relative_to)
        if None in turns:
            without.append(key)
        else:
            pairs.append((key, *turns))
    return Comparison(
        threshold, relative_to, (before.processor, after.processor), _changes(pairs),
        broken=[(olds[key], news[key]) for key in both if olds[key].ok and not news[key].ok],
        mended=[(olds[key], news[key]) for key in both if news[key].ok and not olds[key].ok],
        only_before=[key for key in olds if key not in news],
        only_after=[key for key in news if key not in olds],
        without_reference=without,
    )  # fmt: skip


def _rows(record: Record) -> dict[Key, Row]:
    return {_key(row): row for row in record.rows}


def _key(row: Row) -> Key:
    return *row.problem, row.contender, row.cache


def _require_reference(name: str, *runs: dict[Key, Row]) -> None:
    for rows in runs:
        names = sorted({key[3] for key in rows})
        if name not in names:
            raise ValueError(
                f"relative_to: there is no contender {name!r} in both runs; one has {', '.join(names)}"
            )


def _turns(key: Key, rows: dict[Key, Row], relative_to: str | None) -> tuple[float, ...] | None:
    """What the test compares: turns, or their ratios to the reference's. None: there is no such ratio."""
    turns = rows[key].turns
    if relative_to is None:
        return turns
    reference = rows.get((*key[:3], relative_to, key[4]))
    if reference is None or len(reference.turns) != len(turns):
        return None
    return tuple(np.divide(turns, reference.turns).tolist())


def _changes(pairs: Sequence[tuple[Key, tuple[float, ...], tuple[float, ...]]]) -> list[Change]:
    if not pairs:
        return []
    stats = _scipy_stats()
    ps = [stats.mannwhitneyu(old, new).pvalue for _, old, new in pairs]
    corrected = stats.false_discovery_control(ps)
    return [
        Change(key, statistics.median(old), statistics.median(new), float(p))
        for (key, old, new), p in zip(pairs, corrected, strict=True)
    ]


def _scipy_stats() -> object:
    try:
        import scipy.stats
    except ImportError as error:
        raise ImportError("gpudl bench compare needs scipy: pip install 'gpudl[bench]'") from error
    return scipy.stats


def words(comparison: Comparison) -> str:
    """The comparison as lines of text: every row that is slower, faster, broken or in one run only by name."""
    changes, threshold = comparison.changes, f"{100 * comparison.threshold:.3g} %"
    small = sum(change.significant and not change.beyond(comparison.threshold) for change in changes)
    reference = text.plain(comparison.relative_to or "")
    relative = f", relative to {reference} in the same turns" if reference else ""
    lines = [
        f"{len(changes)} rows timed in both runs{relative}; of the significant differences at most "
        f"{FALSE_DISCOVERIES:.0%} are noise (Mann-Whitney over turns, corrected by Benjamini-Hochberg)",
        *_other_processors(comparison),
        *_listed(f"slower by more than {threshold}", [_change(each, reference) for each in comparison.slower]),
        *_listed(f"faster by more than {threshold}", [_change(each, reference) for each in comparison.faster]),
        f"significant, but at most {threshold}: {small}",
        f"more than {threshold}, but perhaps noise, of which more --seconds would tell: {len(comparison.uncertain)}",
        *_listed("no longer ok", [_status(old, new) for old, new in comparison.broken]),
        *_listed("ok now", [_status(old, new) for old, new in comparison.mended]),
        *_listed("only in the first run", map(_name, comparison.only_before)),
        *_listed("only in the second run", map(_name, comparison.only_after)),
        *_listed(f"not compared, without turns of {reference}", map(_name, comparison.without_reference)),
    ]  # fmt: skip
    return "\n".join(lines)


def _other_processors(comparison: Comparison) -> list[str]:
    first, second = map(text.plain, comparison.processors)
    return [] if first == second else [f"the first run is of {first}, the second of {second}"]


def _listed(title: str, lines: Iterable[str]) -> list[str]:
    lines = [f"  {line}" for line in lines]
    return [f"{title}: {len(lines)}", *lines] if lines else []


def _change(change: Change, reference: str) -> str:
    if reference:
        figures = f"{change.before:.3g} to {change.after:.3g} times {reference}"
    else:
        figures = f"{text.seconds(change.before)} to {text.seconds(change.after)}"
    return f"{change.ratio:.2f} x  {_name(change.key)}  {figures}, p {change.p:.2g}"


def _status(old: Row, new: Row) -> str:
    reason = text.plain(new.detail if old.ok else old.detail)
    return f"{_name(_key(new))}: {old.status}, now {new.status}" + (f": {reason}" if reason else "")


def _name(key: Key) -> str:
    return text.plain(", ".join(key))

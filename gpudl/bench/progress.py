"""Where a run is: what was measured last, and how much time is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from gpudl.bench import summary, text
from gpudl.bench.problem import Problem
from gpudl.bench.record import Row
from gpudl.bench.summary import Entry
from gpudl.train.callbacks.progress_bar import live_progress


class Progress:
    """A line for each problem and cache; below them a live bar where `file` is a terminal.

    total, done : problems of the run, and those that an earlier process has measured.
    """

    def __init__(
        self, file: TextIO, total: int, done: int, clock: Callable[[], float] = time.monotonic
    ):  # fmt: skip
        self._file, self._total, self._clock = file, total, clock
        self._before = self._done = done
        self._begun = clock()
        self._live = live_progress(file, "problems", "now", "bench") if file.isatty() else None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
            self._task = self._live.add_task("bench", total=self._total, completed=self._done, now="")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def start(self, problem: Problem) -> None:
        if self._live is not None:
            # of text alone: brackets would be rich's markup
            words = text.plain(f"{problem.operator} {problem.workload}").replace("[", "(").replace("]", ")")
            self._live.update(self._task, now=words)

    def finish(self, rows: Sequence[Row]) -> None:
        self._done += 1
        if self._live is not None:
            self._live.update(self._task, completed=self._done)
        for line in lines(rows):
            if self._live is None:
                print(f"[{self._done}/{self._total}{self._left()}] {line}", file=self._file, flush=True)
            else:
                self._live.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> str:
        """As long for each problem as those so far took."""
        left = self._total - self._done
        each = (self._clock() - self._begun) / (self._done - self._before)
        return f", {text.span(left * each)} left" if left else ""


def lines(rows: Sequence[Row]) -> list[str]:
    """The rows of a problem in words, a line for each cache."""
    caches: dict[str, list[Entry]] = {}
    for entry in summary.entries(rows):
        caches.setdefault(entry.row.cache, []).append(entry)
    return [
        text.plain(
            f"{rows[0].operator} {rows[0].workload}, {rows[0].dtype}, {cache}: " + " | ".join(map(_words, entries))
        )
        for cache, entries in caches.items()
    ]  # fmt: skip


def _words(entry: Entry) -> str:
    row = entry.row
    if not row.ok:
        reason = f"error {text.error(row.error)}" if row.status == "wrong" else row.detail[:80]
        return f"{row.contender} {row.status}: {reason}"
    words = f"{row.contender} {text.seconds(row.seconds)}"
    if row.floor:
        words += f" ({row.share:.0%} of {row.bound})"
    return words if entry.ratio is None else f"{words} ratio {entry.ratio.median:.2f}"

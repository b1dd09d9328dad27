"""A run in Markdown: how it was measured, means, every row by family, what is slow and what was not timed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from gpudl.bench import method, summary, text
from gpudl.bench.record import Record, Row
from gpudl.bench.summary import Entry

SLOW = 4.0  # times another contender: such rows are named


def markdown(record: Record, pictures: Mapping[str, str] | None = None) -> str:
    """The report of a run. pictures : their titles, and the names of their files beside it."""
    those = summary.entries(record.rows)
    how = [f"`{_code(record.run['command'])}`", *map(_cell, method.lines(record))]
    parts = [
        f"# {_cell(method.title(record))}",
        "## How it was measured\n\n" + "\n".join(f"- {line}" for line in how),
        _means(those),
        *(f"## {title}\n\n![{title}]({name})" for title, name in (pictures or {}).items()),
        _slow(those),
        _not_timed(record.rows),
        *(_family(name, entries) for name, entries in summary.by_family(those).items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _means(those: Sequence[Entry]) -> str:
    lines = [
        _line([_cell(each.over), _cell(each.contender), _cell(each.dtype), each.cache,
               f"{each.value:.2f}", f"{each.count}", f"{each.faster}"])
        for each in summary.means(those)
    ]  # fmt: skip
    if not lines:
        return ""
    head = (
        "## Geometric means of the ratios\n\n"
        "| over | against | dtype | cache | gpudl / other | rows | gpudl faster |\n"
        "|---|---|---|---|---:|---:|---:|\n"
    )
    return head + "\n".join(lines)


def _slow(those: Sequence[Entry]) -> str:
    slow = [entry for entry in those if entry.ratio is not None and entry.ratio.median > SLOW]
    head = f"## Slower than {SLOW:g} times another"
    if not slow:
        return f"{head}\n\nNo row."
    slow.sort(key=lambda entry: -entry.ratio.median)
    lines = [
        f"- {entry.ratio.median:.2f} x {_cell(entry.row.contender)}: {_problem(entry.row)}" for entry in slow
    ]
    return f"{head}\n\n" + "\n".join(lines)


def _problem(row: Row) -> str:
    return _cell(f"{row.operator}, {row.workload}, {row.dtype}, {row.cache}")


def _not_timed(rows: Sequence[Row]) -> str:
    lines = [
        f"- {row.status}: {_cell(row.contender)} on {_problem(row)}: {_reason(row)}"
        for row in rows
        if not row.ok
    ]
    head = "## Not timed: wrong, failed or unsupported"
    return f"{head}\n\n" + ("\n".join(lines) or "No row.")


def _reason(row: Row) -> str:
    wrong = f"error {text.error(row.error)}, allowed {row.tolerance:.3g}" if row.status == "wrong" else ""
    return "; ".join(filter(None, (wrong, _cell(row.detail))))


_Column = tuple[str, bool, Callable[[Entry], str]]  # head, whether it holds numbers, its text
_COLUMNS: tuple[_Column, ...] = (
    ("operator", False, lambda entry: _cell(entry.row.operator)),
    ("workload", False, lambda entry: _cell(entry.row.workload)),
    ("dtype", False, lambda entry: _cell(entry.row.dtype)),
    ("cache", False, lambda entry: entry.row.cache),
    ("contender", False, lambda entry: _cell(entry.row.contender)),
    ("time", True, lambda entry: text.seconds(entry.row.seconds) or entry.row.status),
    ("its quartiles", True, lambda entry: _spread(entry.row)),
    ("gpudl / it", True, lambda entry: f"{entry.ratio.median:.2f}" if entry.ratio else ""),
    ("quartiles", True, lambda entry: f"{entry.ratio.low:.2f} to {entry.ratio.high:.2f}" if entry.ratio else ""),
    ("host", True, lambda entry: text.seconds(entry.row.host_seconds)),
    ("floor", True, lambda entry: text.seconds(entry.row.floor or None)),
    ("share", True, lambda entry: f"{entry.row.share:.0%}" if entry.row.floor else ""),
    ("bound", False, lambda entry: _cell(entry.row.bound or "") if entry.row.floor else ""),
    ("error", True, lambda entry: "" if entry.row.error is None else text.error(entry.row.error, ".1e")),
    ("remarks", False, lambda entry: _remarks(entry.row)),
)  # fmt: skip


def _family(name: str, those: Sequence[Entry]) -> str:
    """The table; a column that is empty in all rows is left out."""
    cells = [[cell(entry) for _, _, cell in _COLUMNS] for entry in those]
    shown = [i for i in range(len(_COLUMNS)) if any(row[i] for row in cells)]
    head = _line(_COLUMNS[i][0] for i in shown)
    rule = _line("---:" if _COLUMNS[i][1] else "---" for i in shown)
    body = [_line(row[i] for i in shown) for row in cells]
    return f"## {_cell(name)}\n\n" + "\n".join([head, rule, *body])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(row: Row) -> str:
    return "" if row.low is None else f"{text.seconds(row.low)} to {text.seconds(row.high)}"


def _remarks(row: Row) -> str:
    throttled = "" if row.throttled is None else f"throttled: {row.throttled}"
    return "; ".join(_cell(words) for words in (row.detail, row.difference, throttled) if words)


def _cell(words: str) -> str:
    """Text of anybody's as one line that Markdown takes for nothing but text; underscores in names may stay."""
    words = text.plain(words).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", words)


def _code(words: str) -> str:
    """The same between backticks."""
    return text.plain(words).replace("`", "'")

"""A run as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from gpudl.bench import method, summary, text
from gpudl.bench.record import Record
from gpudl.bench.summary import Entry

_TEMPLATE = Path(__file__).with_name("page.html")
_SHOWN = (
    "operator", "family", "workload", "dtype", "cache", "contender", "status", "seconds", "low", "high", "host_seconds",
    "floor", "share", "bound", "error", "tolerance", "detail", "difference", "throttled",
)  # fmt: skip


def html(record: Record) -> str:
    entries = summary.entries(record.rows)
    data = {
        "title": text.plain(method.title(record)),
        "command": text.plain(record.run["command"]),
        "method": [text.plain(line) for line in method.lines(record)],
        "means": [dataclasses.asdict(mean) for mean in summary.means(entries)],
        "rows": [_plain(entry) for entry in entries],
    }
    head, mark, tail = _TEMPLATE.read_text(encoding="utf-8").partition("{{data}}")
    assert mark
    return head + _inert(data) + tail


def _plain(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry.row, name) for name in _SHOWN}
    ratio = {} if entry.ratio is None else {
        "ratio": entry.ratio.median, "ratio_low": entry.ratio.low, "ratio_high": entry.ratio.high,
    }  # fmt: skip
    return row | ratio


def _inert(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element, or begins a comment or a tag."""
    plain = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return plain.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")

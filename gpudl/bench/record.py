"""The file of a run: JSON lines, of which the first tells how it was made.

SCHEMA 1. Every line is an object with "kind":
  "run"      schema, started (UTC), arguments, machine (what `gpudl info` knows, commit), device, contenders' versions
  "ceiling"  name ("copy", "matmul float32", "launch"), value, unit
  "row"      one contender on one problem, see `Row`
  "done"     operator, workload, dtype: the rows before it are all of that problem; a run that goes on skips it
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = 1
NAME = "rows.jsonl"
LONGEST_LINE = 1 << 20  # bytes; rows are a few kilobytes


class RecordError(ValueError):
    """A file is not the record of a benchmark run, or of another schema."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What one contender gave on one problem.

    operator, family, workload, dtype, contender, cache : who and what. cache: "warm", or "cold" (inputs not in L2).
    status : "ok", or "wrong" (error above tolerance, so not timed), "failed", "unsupported", whose reason is `detail`.
    seconds : median of a call on the device. low, high : quartiles. turns : medians of the turns, in which contenders
        took turns in one run, so that turn i of one compares with turn i of another. calls : timed calls.
    host_seconds : what a call costs the host, where the device runs by itself; else None.
    error, tolerance : largest deviation from float64, relative to the largest value; what was allowed.
    floor : seconds of the unavoidable work at the ceilings of the same run. bound : which ceiling, "memory", "math" or
        "launch". share : floor / seconds.
    detail : a plan's name, a reason. difference : what sets the contender apart.
    clock_mhz, power_w, temperature_c, throttled : of the GPU after the last turn; else None.
    """

    operator: str
    family: str
    workload: str
    dtype: str
    contender: str
    cache: str
    status: str
    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    turns: tuple[float, ...] = ()
    calls: int = 0
    host_seconds: float | None = None
    error: float | None = None
    tolerance: float | None = None
    floor: float | None = None
    bound: str | None = None
    share: float | None = None
    detail: str = ""
    difference: str = ""
    clock_mhz: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    throttled: str | None = None

    @property
    def problem(self) -> tuple[str, str, str]:
        return self.operator, self.workload, self.dtype


_FIELDS = {field.name: field for field in dataclasses.fields(Row)}
_NUMBERS = ("seconds", "low", "high", "host_seconds", "error", "tolerance", "floor", "share", "clock_mhz", "power_w",
            "temperature_c")  # fmt: skip


@dataclasses.dataclass
class Record:
    """A run's file, read: its problems that are done, and nothing of one that a kill cut short."""

    run: dict[str, Any] = dataclasses.field(default_factory=dict)
    ceilings: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    rows: list[Row] = dataclasses.field(default_factory=list)
    done: set[tuple[str, str, str]] = dataclasses.field(default_factory=set)
    whole_bytes: int = 0  # of the file, up to the end of what is done


class Writer:
    """Appends lines to the file of a run; each is on disk when `write` returns."""

    def __init__(self, path: Path, *, resume_at: int | None = None):
        """resume_at : the whole bytes of the file that is gone on with; what a kill left after them goes."""
        if resume_at is not None:
            os.truncate(path, resume_at)
        self._file = path.open("xb" if resume_at is None else "ab")

    def write(self, kind: str, fields: dict[str, Any]) -> None:
        line = json.dumps({"kind": kind, **fields}, allow_nan=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def write_row(self, row: Row) -> None:
        self.write("row", dataclasses.asdict(row))

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Record:
    """The record at `path`, a file or the folder of a run. RecordError names the line that is wrong."""
    path = path / NAME if path.is_dir() else path
    record, pending, end = Record(), [], 0
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file, path), 1):
            where = f"{path}, line {number}"
            fields = _object(line, where)
            if fields is None:
                break  # the end of a run that was killed while it wrote
            end += len(line)
            if fields["kind"] == "row" and record.run:
                pending.append(_row(fields, where))
                continue
            _add(record, fields, where)
            record.rows += pending
            record.whole_bytes, pending = end, []
    if not record.run:
        raise RecordError(f"{path}: not the record of a benchmark run: it is empty")
    return record


def _lines(file: Any, path: Path) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise RecordError(
                f"{path}: not the record of a benchmark run: a line of more than {LONGEST_LINE} bytes"
            )
        yield line


def _object(line: bytes, where: str) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise RecordError(f"{where}: not JSON: {error}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise RecordError(f'{where}: expected an object with "kind"')
    return fields


def _add(record: Record, fields: dict[str, Any], where: str) -> None:
    kind = fields.pop("kind")
    if not record.run:
        if kind != "run" or fields.get("schema") != SCHEMA:
            raise RecordError(f"{where}: expected the head of a run of schema {SCHEMA}, got kind {kind!r}, "
                              f"schema {fields.get('schema')!r}")  # fmt: skip
        record.run = fields
    elif kind == "ceiling":
        record.ceilings[str(fields.get("name"))] = fields
    elif kind == "done":
        record.done.add(tuple(str(fields.get(name)) for name in ("operator", "workload", "dtype")))
    else:
        raise RecordError(f"{where}: unknown kind {kind!r}")


def _row(fields: dict[str, Any], where: str) -> Row:
    del fields["kind"]
    if fields.keys() - _FIELDS:
        raise RecordError(f"{where}: unknown fields {', '.join(sorted(fields.keys() - _FIELDS))}")
    for name in ("operator", "family", "workload", "dtype", "contender", "cache", "status"):
        if not isinstance(fields.get(name), str):
            raise RecordError(f"{where}: {name} must be text, got {fields.get(name)!r}")
    for name in _NUMBERS:
        value = fields.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise RecordError(f"{where}: {name} must be a number of 0 or more, got {value!r}")
    turns = fields.get("turns", ())
    if not isinstance(turns, list) or not all(isinstance(turn, float) and turn > 0 for turn in turns):
        raise RecordError(f"{where}: turns must be a list of seconds, got {turns!r}")
    if fields["status"] == "ok" and not (fields.get("seconds") and turns):
        raise RecordError(f"{where}: a row that is ok has seconds and turns")
    return Row(**{**fields, "turns": tuple(turns)})

"""The file of a run: JSON lines, of which the first tells how it was made.

SCHEMA 1. Every line is an object with "kind":
  "run"      schema, started (UTC), command, selection, seconds (timed, of each contender on each problem), files (of
             --with, and the kernels that these compile: path, sha256), machine (Python, packages, commit), device (its
             name, and what it says of itself)
  "resumed"  started, machine, device: from here on another process, which went on with the run
  "ceiling"  name ("copy", "matmul float32", "launch"), value, unit: measured by the process that wrote it
  "row"      one contender on one problem, see `Row`
  "done"     operator, workload, dtype: the rows before it are all of that problem; a run that goes on skips it
"""

from __future__ import annotations

import dataclasses
import json
import os
import reprlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from gpudl._claim import claim

SCHEMA = 1
NAME = "rows.jsonl"
LONGEST_LINE = 1 << 20  # bytes; rows are a few kilobytes
_DEEPEST = 8
STATUSES = ("ok", "wrong", "failed", "unsupported")
CACHES = ("warm", "cold")


class RecordError(ValueError):
    """A file is not the record of a benchmark run, or of another schema."""


Problem = tuple[str, str, str]  # operator, workload, dtype


@dataclasses.dataclass(frozen=True)
class Row:
    """What one contender gave on one problem.

    operator, family, workload, dtype, contender, cache : who and what. cache: "warm", or "cold" (inputs not in L2).
    group : a set of problems with a geometric mean of its own, beside the family's; "" for none.
    status : "ok", or "wrong" (error above tolerance, so not timed), "failed", "unsupported", whose reason is `detail`.
    seconds : median of a call on the device. low, high : quartiles. turns : medians of the turns, in which contenders
        took turns in one run, so that turn i of one compares with turn i of another. calls : timed calls.
    host_seconds : what a call costs the host, where the device runs by itself; else None.
    error, tolerance : largest deviation from float64, relative to the largest value; what was allowed.
    flops, bytes : the unavoidable work, see `problem.Work`.
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
    group: str = ""
    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    turns: tuple[float, ...] = ()
    calls: int = 0
    host_seconds: float | None = None
    error: float | None = None
    tolerance: float | None = None
    flops: float = 0
    bytes: float = 0
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
    def problem(self) -> Problem:
        return self.operator, self.workload, self.dtype

    @property
    def ok(self) -> bool:
        return self.status == "ok"


@dataclasses.dataclass(frozen=True)
class Ceiling:
    name: str
    value: float
    unit: str


@dataclasses.dataclass
class Record:
    """A run's file, read: its problems that are done, and nothing of one that a kill cut short."""

    run: dict[str, Any] = dataclasses.field(default_factory=dict)
    resumed: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    ceilings: list[Ceiling] = dataclasses.field(default_factory=list)
    rows: list[Row] = dataclasses.field(default_factory=list)
    done: set[Problem] = dataclasses.field(default_factory=set)
    whole_bytes: int = 0  # of the file, up to the end of what is done

    @property
    def processor(self) -> str:
        device = self.run.get("device", {})
        return str(device.get("gpu") or device.get("cpu") or device.get("name", "unknown"))


class Writer:
    """Appends lines to the file of a run; each is on disk when `write` returns. One process at a time.

    known : what the file held; without what a kill left after the last whole problem, which is cut off.
    """

    def __init__(self, path: Path, *, resume: bool = False):
        self._file = path.open("r+b" if resume else "xb")
        try:
            if not claim(self._file.fileno()):
                raise RecordError(f"{path}: another gpudl bench is at work on this run")
            self.known = read(path) if resume else Record()
            self._file.truncate(self.known.whole_bytes)
            self._file.seek(self.known.whole_bytes)
        except BaseException:
            self._file.close()
            raise

    def write(self, kind: str, fields: dict[str, Any]) -> None:
        """Half characters, as of a file's name that is no text, become question marks: `read` refuses them."""
        fields = {"kind": kind, **fields}
        line = json.dumps(fields, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode(errors="replace") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def write_row(self, row: Row) -> None:
        self.write("row", dataclasses.asdict(row))

    def write_done(self, problem: Problem) -> None:
        self.write("done", dict(zip(("operator", "workload", "dtype"), problem, strict=True)))

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Record:
    """The record at `path`, a file or the folder of a run. RecordError names the line that is wrong."""
    path = path / NAME if path.is_dir() else path
    record, pending, end = Record(), [], 0
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file, path), 1):
            where = f"{path}, line {number}"
            if not line.endswith(b"\n"):
                break  # the end of a run that was killed while it wrote
            kind, fields = _object(line, where)
            end += len(line)
            if not record.run:
                record.run = _head(kind, fields, where)
            elif kind == "row":
                pending.append(_row(fields, where))
                continue
            elif kind == "done":
                _finish(record, pending, fields, where)
            elif pending:
                raise RecordError(f"{where}: the rows before it are of no problem that is done")
            elif kind == "ceiling":
                record.ceilings.append(_ceiling(fields, where))
            elif kind == "resumed":
                record.resumed.append(_process(fields, where))
            else:
                raise RecordError(f"{where}: unknown kind {kind!r}")
            record.whole_bytes, pending = end, []
    if not record.run:
        raise RecordError(f"{path}: not the record of a benchmark run: it has no whole line")
    return record


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise RecordError(
                f"{path}: not the record of a benchmark run: a line of more than {LONGEST_LINE} bytes"
            )
        yield line


def _object(line: bytes, where: str) -> tuple[str, dict[str, Any]]:
    """The kind of a line, and its other fields."""
    try:
        fields = json.loads(line.decode(), parse_constant=_refuse)
        json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair could not be written any more
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not JSON: {error}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise RecordError(f'{where}: expected an object with "kind"')
    _require(_is_shallow(fields, _DEEPEST), f"nested more than {_DEEPEST} deep", where)
    return fields.pop("kind"), fields


def _is_shallow(value: object, levels: int) -> bool:
    """So that whoever reads the record need not fear for his stack."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _head(kind: str, fields: dict[str, Any], where: str) -> dict[str, Any]:
    schema = fields.get("schema")
    if kind != "run" or type(schema) is not int or schema != SCHEMA:
        raise RecordError(f"{where}: expected the head of a run of schema {SCHEMA}, got kind {kind!r}, "
                          f"schema {reprlib.repr(schema)}")  # fmt: skip
    _require(isinstance(fields.get("command"), str), "command must be text", where)
    _require(isinstance(fields.get("selection"), dict), "selection must be an object", where)
    _require(_is_number(fields.get("seconds")), "seconds must be a number", where)
    files = fields.get("files")
    _require(isinstance(files, list), "files must be a list", where)
    for file in files:
        fine = isinstance(file, dict) and _has_texts(file, "path", "sha256")
        _require(fine, "files must be objects with path and sha256", where)
    return _process(fields, where)


def _process(fields: dict[str, Any], where: str) -> dict[str, Any]:
    """What "run" and "resumed" say of the process that writes."""
    _require(isinstance(fields.get("started"), str), "started must be text", where)
    machine, device = fields.get("machine"), fields.get("device")
    _require(
        isinstance(machine, dict) and isinstance(machine.get("packages"), dict),
        "machine must be an object with packages", where,
    )  # fmt: skip
    _require(
        isinstance(device, dict) and _has_texts(device, "name"), "device must be an object with a name", where
    )
    return fields


def _ceiling(fields: dict[str, Any], where: str) -> Ceiling:
    _require(fields.keys() == {"name", "value", "unit"} and _has_texts(fields, "name", "unit"),
             "a ceiling has a name, a value and a unit", where)  # fmt: skip
    _require(_is_physical(fields["value"]), "value must be from 1e-15 to 1e30", where)
    return Ceiling(fields["name"], float(fields["value"]), fields["unit"])


def _finish(record: Record, pending: list[Row], fields: dict[str, Any], where: str) -> None:
    """Take over the rows of a problem that is done."""
    _require(
        _has_texts(fields, "operator", "workload", "dtype"), "done needs operator, workload and dtype", where
    )
    problem = (fields["operator"], fields["workload"], fields["dtype"])
    _require(
        all(row.problem == problem for row in pending), "the rows before it are of another problem", where
    )
    _require(problem not in record.done, "that problem is done already", where)
    whose = [(row.contender, row.cache) for row in pending]
    _require(len(set(whose)) == len(whose), "a contender has two of the rows before it", where)
    record.rows += pending
    record.done.add(problem)


def _row(fields: dict[str, Any], where: str) -> Row:
    unknown, missing = fields.keys() - _TYPES.keys(), _TYPES.keys() - fields.keys()
    if unknown or missing:
        wrong = (
            f"unknown {', '.join(sorted(unknown))}" if unknown else f"without {', '.join(sorted(missing))}"
        )
        raise RecordError(f"{where}: a row {wrong}")
    for name, value in fields.items():
        takes, words = _CHECKS[_TYPES[name]]
        _require(takes(value), f"{name} must be {words}", where, value)
    for name in _PHYSICAL:
        fine = not fields[name] or _is_physical(fields[name])
        _require(fine, f"{name} must be 0, or from 1e-15 to 1e30", where, fields[name])
    _require(
        fields["status"] in STATUSES, f"status must be one of {', '.join(STATUSES)}", where, fields["status"]
    )
    _require(fields["cache"] in CACHES, f"cache must be one of {', '.join(CACHES)}", where, fields["cache"])
    if fields["status"] == "ok":
        whole = fields["seconds"] and fields["turns"] and all(fields[name] is not None for name in _MEASURED)
        _require(bool(whole), f"a row that is ok has {', '.join(_MEASURED)}", where)
    if fields["status"] == "wrong":
        fine = fields["error"] is not None and fields["tolerance"] is not None
        _require(fine, "a row that is wrong has error and tolerance", where)
    return Row(**{**fields, "turns": tuple(fields["turns"])})


def _is_number(value: object) -> bool:
    """Finite; and a file from elsewhere may hold whole numbers that no float reaches."""
    return type(value) in (int, float) and -1e300 <= value <= 1e300


def _is_amount(value: object) -> bool:
    return _is_number(value) and value >= 0


def _is_physical(value: object) -> bool:
    """A time, a count of operations or of bytes; products and quotients of some are still numbers."""
    return _is_number(value) and 1e-15 <= value <= 1e30


def _has_texts(fields: dict[str, Any], *names: str) -> bool:
    return all(isinstance(fields.get(name), str) for name in names)


# By the annotation of a field of `Row`: what it takes, and that in words.
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text"),
    "str | None": (lambda value: value is None or isinstance(value, str), "text or null"),
    "int": (lambda value: type(value) is int and 0 <= value < 1 << 63, "a whole number from 0 to 2^63 - 1"),
    "float": (_is_amount, "a number of 0 or more"),
    "float | None": (lambda value: value is None or _is_amount(value), "a number of 0 or more, or null"),
    "tuple[float, ...]": (
        lambda value: isinstance(value, list) and all(map(_is_physical, value)),
        "a list of seconds",
    ),
}
_TYPES = {field.name: field.type for field in dataclasses.fields(Row)}
_PHYSICAL = ("seconds", "low", "high", "host_seconds", "flops", "bytes", "floor")
_MEASURED = ("seconds", "low", "high", "turns", "error", "floor", "bound", "share")  # where a row is ok


def _require(fine: bool, words: str, where: str, *got: object) -> None:
    if not fine:
        raise RecordError(f"{where}: {words}" + "".join(f", got {reprlib.repr(value)}" for value in got))

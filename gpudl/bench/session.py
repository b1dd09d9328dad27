"""A run: which problems, in which order, on which device; recorded as it goes, and gone on with after a stop."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import reprlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gpudl.bench import kernels, operators, record
from gpudl.bench.contender import CONTENDERS, DEVICES, Contender
from gpudl.bench.device import Ceilings, Device, DeviceLostError
from gpudl.bench.measure import measure
from gpudl.bench.problem import DTYPES, OPERATORS, Problem
from gpudl.bench.record import Row


@dataclasses.dataclass(frozen=True)
class Selection:
    """What of all problems is measured.

    operators : names of operators or families, or their beginnings; none: all.
    workloads : parts of the words of a workload, one of which must be in it; none: all.
    dtypes : of "float32", "float16", "bfloat16", "float64". quick : the few telling problems of each operator.
    """

    operators: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    quick: bool = False

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Selection:
        """The selection that `plain` gave. ValueError where it is none."""
        lists = ("operators", "workloads", "dtypes")
        fine = plain.keys() == {*lists, "quick"} and isinstance(plain["quick"], bool)
        if not fine or not all(_are_texts(plain[name]) for name in lists):
            raise ValueError(f"not a selection of problems: {reprlib.repr(plain)}")
        return cls(*(tuple(plain[name]) for name in lists), plain["quick"])

    def plain(self) -> dict[str, Any]:
        """As a record has it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}

    def problems(self, device: str) -> list[Problem]:
        """Operator by operator. ValueError where a name fits nothing."""
        for name in self.operators:
            if not any(_fits(name, each) for each in OPERATORS):
                families = sorted({each.family for each in OPERATORS.values()})
                raise ValueError(f"no operator begins with {name!r}; the families are {', '.join(families)}")
        found = self._found(device)
        if not found:
            raise ValueError(f"nothing to measure on {device} {self._words()}{self._hint(device)}")
        return found

    def _hint(self, device: str) -> str:
        """Where there would be something."""
        if elsewhere := [other for other in DEVICES if self._found(other)]:
            return f"; on {elsewhere[0]} there is (--device {elsewhere[0]})"
        others = [name for name in DTYPES if dataclasses.replace(self, dtypes=(name,))._found(device)]
        return f"; there is in {', '.join(others)} (--dtype {others[0]})" if others else ""

    def _found(self, device: str) -> list[Problem]:
        return [
            problem.of(dtype)
            for name, each in OPERATORS.items()
            if not self.operators or any(_fits(wanted, name) for wanted in self.operators)
            for problem in each.problems()
            if self._takes(problem, device)
            for dtype in self.dtypes
            if dtype in problem.dtypes
        ]

    def _words(self) -> str:
        parts = [f"of {', '.join(self.operators)}"] if self.operators else []
        parts.append(f"in {', '.join(self.dtypes)}")
        if self.workloads:
            parts.append(f"whose workload has {' or '.join(map(repr, self.workloads))}")
        return " ".join(parts + ["among the few sizes of --quick"] * self.quick)

    def _takes(self, problem: Problem, device: str) -> bool:
        words = problem.workload.lower()
        return (
            device in problem.devices
            and (problem.quick or not self.quick)
            and (not self.workloads or any(part.lower() in words for part in self.workloads))
        )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _fits(wanted: str, name: str) -> bool:
    return name.startswith(wanted) or OPERATORS[name].family == wanted


FileEntry = dict[str, str]  # of a record: path, sha256


def load_file(path: Path) -> list[FileEntry]:
    """Run a Python file of the user's, whose decorators register contenders; returns the entries in a record: its own,
    and those of the files of kernels that it compiles.

    ValueError where it cannot be run, registers none, or for operators that are not there.
    """
    try:
        entry = _entry(path)
    except OSError as error:
        raise ValueError(f"--with: {path}: {error.strerror}") from None
    before = {(name, each) for name, those in CONTENDERS.items() for each in those}
    compiled_before = len(kernels.SOURCES)
    spec = importlib.util.spec_from_file_location(f"gpudl_bench_{entry['sha256'][:16]}_{path.stem}", path)
    if spec is None:
        raise ValueError(f"--with: expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # it is anybody's code
        raise ValueError(f"--with: {path}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    new = {(name, each) for name, those in CONTENDERS.items() for each in those} - before
    if not new:
        raise ValueError(f"--with: {path} registers no contender")
    if unknown := {name for name, _ in new} - OPERATORS.keys():
        raise ValueError(
            f"--with: {path}: there is no operator {', '.join(sorted(unknown))}; gpudl bench --list"
        )
    return [entry, *map(_entry, dict.fromkeys(kernels.SOURCES[compiled_before:]))]


def _entry(path: Path) -> FileEntry:
    return {"path": os.path.abspath(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def load_again(entries: Sequence[FileEntry]) -> None:
    """The same for a run that goes on, of what it was begun with. ValueError where a file is gone, or is another by
    now: nothing is run then."""
    for entry in entries:
        path = Path(entry["path"])
        if not path.is_file():
            raise ValueError(f"the run was begun --with {path}, which is gone")
        if _entry(path)["sha256"] != entry["sha256"]:
            raise ValueError(f"the run was begun --with {path}, which has changed since; begin a new run")
    for path in (Path(entry["path"]) for entry in entries):
        if importlib.util.spec_from_file_location("any", path) is not None:  # kernels are compiled by these
            load_file(path)


class Session:
    """Measures problems into `folder`, which is new, or whose run it goes on with.

    seconds : of timed calls, for each contender on each problem and cache. command : words of the command line, for the
    record. files : entries of the files that `load_file` ran.

    changed : what the last process to write into the folder said of itself otherwise: versions, commit, machine.

    Raises ValueError where nothing is selected, or the run of the folder is of another selection; FileExistsError where
    the folder has a run and `resume` is False; FileNotFoundError where it has none and `resume` is True.
    """

    def __init__(
        self, folder: Path, device: Device, selection: Selection, *, seconds: float = 1.5,
        command: Sequence[str] = (), files: Sequence[FileEntry] = (), resume: bool = False,
    ):  # fmt: skip
        self.device, self.seconds = device, seconds
        self.changed: list[str] = []
        self.problems = selection.problems(device.name)
        about = {
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(),
            "device": {**device.describe(), "name": device.name},
        }
        if not resume:
            folder.mkdir(parents=True, exist_ok=True)
        self._writer = record.Writer(folder / record.NAME, resume=resume)
        self.done = set(self._writer.known.done)
        if not resume:
            self._writer.write("run", {
                "schema": record.SCHEMA, "command": shlex.join(command), "selection": selection.plain(),
                "seconds": seconds, "files": list(files), **about,
            })  # fmt: skip
            return
        known = self._writer.known
        begun = known.run
        if begun["selection"] != selection.plain() or begun["device"]["name"] != device.name:
            self._writer.close()
            raise ValueError(
                f"{folder} is a run on {begun['device']['name']} of another selection: {begun['selection']}"
            )
        self.changed = _differences([begun, *known.resumed][-1], about)
        self._writer.write("resumed", about)

    @property
    def left(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.key not in self.done]

    def run(self, on_start: Callable[[Problem], None], on_rows: Callable[[list[Row]], None]) -> None:
        """Measure what is not done yet. What is measured when it is interrupted stays.

        DeviceLostError after a problem that cost the device; its rows say which contenders failed.
        """
        left = self.left
        try:
            with self.device.running():
                ceilings = self._ceilings() if left else None
                for problem in left:
                    on_start(problem)
                    rows = measure(problem, self._contenders(problem), self.device, ceilings, self.seconds)
                    for row in rows:
                        self._writer.write_row(row)
                    self._writer.write_done(problem.key)
                    self.done.add(problem.key)
                    on_rows(rows)
                    if (reason := self.device.lost()) is not None:
                        raise DeviceLostError(reason)
        finally:
            self._writer.close()

    def _contenders(self, problem: Problem) -> list[Contender]:
        """Ours first."""
        those = CONTENDERS[problem.operator].values()
        here = [each for each in those if each.takes(self.device.name, problem.dtype)]
        return sorted(here, key=lambda each: each.name != operators.OURS)

    def _ceilings(self) -> Ceilings:
        """Measured in every process: of a run that goes on, the later rows are under the later ceilings."""
        ceilings = self.device.ceilings()
        self._writer.write("ceiling", {"name": "copy", "value": ceilings.copy, "unit": "B/s"})
        for dtype, rate in ceilings.matmul.items():
            self._writer.write("ceiling", {"name": f"matmul {dtype}", "value": rate, "unit": "FLOP/s"})
        if ceilings.launch:
            self._writer.write("ceiling", {"name": "launch", "value": ceilings.launch, "unit": "s"})
        return ceilings


def machine() -> dict[str, Any]:
    """Versions, and the commit where gpudl runs from a checkout."""
    versions = {}
    for package in ("gpudl", "numpy", "torch", "cupy-cuda12x", "cupy-cuda13x", "nvidia-cudnn-frontend"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {"python": platform.python_version(), "packages": versions, "commit": _commit()}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """ "commit abc, now def": in what two processes that write one record differ."""
    old, new = _facts(before), _facts(now)
    return [
        f"{name} {old.get(name)}, now {new.get(name)}" for name in old | new if old.get(name) != new.get(name)
    ]


def _facts(process: Mapping[str, Any]) -> dict[str, Any]:
    machine, device = process["machine"], process["device"]
    return {**machine["packages"], **machine, **device, "packages": None}


def _commit() -> str:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return "unknown"
    command = ["git", "describe", "--always", "--dirty"]
    return (
        subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout.strip()
        or "unknown"
    )

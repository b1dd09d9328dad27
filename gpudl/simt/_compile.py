"""Compile C++ and CUDA sources into one library: only what changed, as many files at once as there are cores.

Standard library only, because setup.py uses it where nothing is installed yet.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path


class CompileError(RuntimeError):
    """A compiler refused; the message is what it printed."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """One source file and the command that compiles it, but for the names of input and output."""

    source: Path
    command: tuple[str, ...]
    object: Path


def build(units: list[Unit], link: tuple[str, ...], library: Path, *, lock: Path) -> list[Path]:
    """Bring `library` up to date; returns the sources that were compiled.

    lock : a file that all builds which share objects name, so that two processes do not write one.
    A file is compiled anew where its command, its compiler, its text or that of a header it includes has changed.
    """
    library.parent.mkdir(parents=True, exist_ok=True)
    for unit in units:
        unit.object.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _locked(lock):
        stale = [unit for unit in units if not _is_current(unit.object, _versioned(unit.command))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_compile, stale))
        objects = [unit.object for unit in units]
        command = (*link, *map(str, objects))
        if not _is_current(library, command):
            _run([*command, "-o", str(library)])
            _stamp(library, command, objects)
    return [unit.source for unit in stale]


def sources_digest(csrc: Path) -> str:
    """Of everything that a compiled module is made of, whichever folder it lies in."""
    digest = hashlib.sha256()
    for path in sorted(path for path in csrc.rglob("*") if path.suffix in (".cpp", ".cu", ".h")):
        digest.update(f"{path.relative_to(csrc).as_posix()} {_digest(path)}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two processes that want the same build: the second waits and finds it done."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(unit: Unit) -> None:
    dependencies = unit.object.with_suffix(".d")
    command = [
        *unit.command, "-MMD", "-MF", str(dependencies), "-c", str(unit.source), "-o", str(unit.object)
    ]  # fmt: skip
    _stamp_path(unit.object).unlink(missing_ok=True)  # it told of the object that is overwritten now
    started = time.time_ns()
    printed = _run(command)
    unit.object.with_suffix(".log").write_text(printed)
    inputs = _dependencies(dependencies.read_text())
    if all(path.stat().st_mtime_ns <= started for path in inputs):  # else who knows which text was compiled
        _stamp(unit.object, _versioned(unit.command), inputs)


def _dependencies(rule: str) -> list[Path]:
    """The files that a make rule names, in which a compiler has escaped blanks, # and $."""
    names = re.split(r"(?<!\\)\s+", rule.replace("\\\n", " ").partition(":")[2].strip())
    return [Path(re.sub(r"\\([ #])", r"\1", name).replace("$$", "$")) for name in names]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


@functools.lru_cache
def _version(compiler: str) -> str:
    return _run([compiler, "--version"])


def _versioned(command: tuple[str, ...]) -> tuple[str, ...]:
    return (*command, _version(command[0]))


def _stamp_path(output: Path) -> Path:
    return output.with_name(output.name + ".stamp")


def _stamp(output: Path, command: tuple[str, ...], inputs: list[Path]) -> None:
    stamp = {"command": list(command), "inputs": {str(path): _digest(path) for path in inputs}}
    _stamp_path(output).write_text(json.dumps(stamp))


def _is_current(output: Path, command: tuple[str, ...]) -> bool:
    try:
        stamp = json.loads(_stamp_path(output).read_text())
        return (
            output.exists()
            and stamp["command"] == list(command)
            and all(_digest(Path(path)) == digest for path, digest in stamp["inputs"].items())
        )
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

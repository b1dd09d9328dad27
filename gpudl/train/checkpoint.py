"""Checkpoints: a folder with arrays.safetensors, state.json and SHA256SUMS, written so that it is whole or not there.

A checkpoint is written under another name, flushed to the disk and then renamed. Reading verifies the sums first,
so a truncated or damaged one is found before anything of it is used. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from gpudl import _backend

ARRAYS, STATE, SUMS = "arrays.safetensors", "state.json", "SHA256SUMS"
FORMAT = "gpudl-checkpoint-1"
_WRITING, _REMOVING = ".writing-", ".removing-"
_ARRAY, _FLOAT = "$array", "$float"
_RESERVED = "__metadata__"  # no name of an array, by the format of safetensors
_DTYPES = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64",
)  # fmt: skip
_CHUNK = 1 << 20


class CheckpointError(ValueError):
    """A folder that holds no whole checkpoint."""


def save_checkpoint(folder: str | Path, state: dict[str, Any]) -> Path:
    """Write `state` to the new folder `folder`, or in place of the checkpoint there; returns its path.

    state : a dict of dicts with text keys, lists, tuples (which come back as lists), numbers, text, None and arrays of
        numbers or bools.
    Raises TypeError for anything else, before a file is touched, and FileExistsError for a file, or a folder of other
    things, which is not removed. After an OSError (a full disk, say) what was there before is there still.
    """
    folder = Path(folder)
    if not isinstance(state, dict):
        raise TypeError(f"save_checkpoint: state must be a dict, got {type(state).__name__}")
    arrays: dict[str, np.ndarray] = {}
    content = {"format": FORMAT, "state": _without_arrays(state, "", arrays)}
    files = {
        ARRAYS: save(arrays),
        STATE: (json.dumps(content, indent=1, allow_nan=False) + "\n").encode(),
    }
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    files[SUMS] = "".join(sums).encode()
    _require_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    writing = folder.parent / f"{_WRITING}{folder.name}"
    try:
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir()
        for name, data in files.items():
            _write_through(writing / name, data)
        _flush_folder(writing)
        _put_in_place(writing, folder)
        _flush_folder(folder.parent)
    except BaseException as error:
        shutil.rmtree(writing, ignore_errors=True)
        if isinstance(error, OSError):
            error.filename = str(folder)
        raise
    return folder


def load_checkpoint(folder: str | Path) -> dict[str, Any]:
    """The state that was saved in `folder`. Raises CheckpointError where it is damaged or no checkpoint."""
    folder = Path(folder)
    _verify(folder)
    try:
        content = json.loads((folder / STATE).read_bytes())
        arrays = load_file(folder / ARRAYS)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise CheckpointError(f"{folder}: {STATE} must have format {FORMAT!r}")
        state = _with_arrays(content["state"], arrays)
    except CheckpointError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: no checkpoint that can be read: {error}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{folder}: state must be a dict, got {type(state).__name__}")
    return state


def list_checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints in `folder`, not verified; oldest first by how far the run had come, which the names tell."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(found, key=_progress)


def load_newest_checkpoint(
    folder: str | Path,
) -> tuple[Path | None, dict[str, Any] | None, list[CheckpointError]]:
    """The newest whole checkpoint in `folder` and its state, None without one, and what is wrong with newer ones.

    Newest by the numbers in the names: "last-epoch-0003-step-00000120".
    """
    damaged = []
    for path in reversed(list_checkpoints(folder)):
        try:
            return path, load_checkpoint(path), damaged
        except CheckpointError as error:
            damaged.append(error)
    return None, None, damaged


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, so that it is never seen in part."""
    shutil.rmtree(_set_aside(folder), ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a run that was killed while it wrote or removed something has left in `folder`."""
    if folder.is_dir():
        for path in filter(is_leftover, folder.iterdir()):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def is_leftover(path: Path) -> bool:
    """Whether a file or checkpoint was being written or removed."""
    return path.name.startswith((_WRITING, _REMOVING))


def write_file(path: Path, data: bytes) -> None:
    """Replace the file at `path`, so that a reader sees the old content or the new one, whatever happens."""
    writing = path.parent / f"{_WRITING}{path.name}"
    try:
        _write_through(writing, data)
        writing.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            writing.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)
        raise


def _require_replaceable(folder: Path) -> None:
    """Raise FileExistsError unless the folder is new, empty, or of a checkpoint, which may be damaged."""
    if folder.is_dir():
        others = {path.name for path in folder.iterdir()} - {ARRAYS, STATE, SUMS}
        if not others:
            return
        reason = f"is no checkpoint, it has {min(others)}"
    elif folder.exists():
        reason = "is a file"
    else:
        return
    raise FileExistsError(f"save_checkpoint: expected a new folder or a checkpoint, but {folder} {reason}")


def _put_in_place(writing: Path, folder: Path) -> None:
    """Give a whole checkpoint its name; the one that had it comes back where that fails."""
    if not folder.exists():
        writing.rename(folder)
        return
    aside = _set_aside(folder)
    try:
        writing.rename(folder)
    except BaseException:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _set_aside(folder: Path) -> Path:
    removing = folder.parent / f"{_REMOVING}{folder.name}"
    shutil.rmtree(removing, ignore_errors=True)
    folder.rename(removing)
    return removing


def _progress(path: Path) -> tuple[list[int], str]:
    """Numbers as such: they outgrow the zeros in front of them."""
    return [int(digits) for digits in re.findall(r"\d+", path.name)], path.name


def _write_through(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make new names in `folder` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verify(folder: Path) -> None:
    """Raise CheckpointError unless every file is there and has its sum."""
    try:
        with open(folder / SUMS, encoding="ascii") as file:
            lines = file.read(_CHUNK).splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        if set(sums) != {ARRAYS, STATE}:
            raise CheckpointError(f"{folder}: {SUMS} must name {ARRAYS} and {STATE}, got {sorted(sums)}")
        for name, digest in sums.items():
            if _digest(folder / name) != digest:
                raise CheckpointError(f"{folder}: damaged: {name} does not have the sum that {SUMS} tells")
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder}: no whole checkpoint: {Path(error.filename).name} is missing"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder}: no whole checkpoint: {error}") from error


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _without_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """`value` as JSON can hold it; arrays go to `arrays` by their path."""
    if isinstance(value, np.generic) and not isinstance(value, str):
        value = np.asarray(value)
    if _backend.is_array(value):
        if value.dtype.name not in _DTYPES:
            raise TypeError(
                f"save_checkpoint: arrays must be of one of {', '.join(_DTYPES)}, got {value.dtype} at {path!r}"
            )
        name = path
        while name in arrays or name == _RESERVED:  # keys may hold slashes, and anything else
            name = f"{name} ({len(arrays)})"
        # safetensors writes memory as it lies
        arrays[name] = np.array(_backend.move(value, "cpu"), order="C")
        return {_ARRAY: name}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or key in (_ARRAY, _FLOAT):
                raise TypeError(
                    f"save_checkpoint: keys must be text other than {_ARRAY} and {_FLOAT}, got {key!r} "
                    f"at {path!r}"
                )
        return {
            key: _without_arrays(item, f"{path}/{key}" if path else key, arrays)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if value is not None and not isinstance(value, bool | int | float | str):
        raise TypeError(
            "save_checkpoint: state must hold dicts, lists, numbers, text, None and arrays, "
            f"got {type(value).__name__} at {path!r}"
        )
    return value


def _with_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `_without_arrays`."""
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        if set(value) == {_FLOAT}:
            return float(value[_FLOAT])
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    return value

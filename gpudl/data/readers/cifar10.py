"""CIFAR-10, binary version (Krizhevsky, 2009): records of one label and 32x32 pixels of red, green, blue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gpudl.data.readers._common import DataFormatError, ImageData, checked

_RECORD = 1 + 3 * 32 * 32
_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(path: str | Path) -> ImageData:
    """A folder with data_batch_1.bin ... data_batch_5.bin (those that are there) and test_batch.bin (may be absent).

    Raises DataFormatError where a size is no multiple of 3073 bytes or a label is above 9; FileNotFoundError.
    """
    path = folder_of(Path(path))
    batches = sorted(path.glob("data_batch_*.bin"))
    if not batches:
        raise FileNotFoundError(f"{path}: no file data_batch_*.bin")
    parts = {"train": _join([_read(file) for file in batches])}
    if (path / "test_batch.bin").exists():
        parts["test"] = _read(path / "test_batch.bin")
    return checked("cifar10", path, parts, _CLASSES)


def folder_of(path: Path) -> Path:
    """The folder of the batches, which the archive calls cifar-10-batches-bin."""
    inner = path / "cifar-10-batches-bin"
    return inner if inner.is_dir() else path


def is_cifar10_folder(path: Path) -> bool:
    return next(folder_of(path).glob("data_batch_*.bin"), None) is not None


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    size = file.stat().st_size
    if size == 0 or size % _RECORD:
        raise DataFormatError(f"{file}: expected records of {_RECORD} bytes, got {size} bytes")
    records = np.fromfile(file, np.uint8).reshape(-1, _RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def _join(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)

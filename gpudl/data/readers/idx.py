"""IDX files, the format of MNIST and Fashion-MNIST (described at the end of Yann LeCun's MNIST page)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gpudl.data.readers._common import LARGEST_RATIO, DataFormatError, ImageData, checked, require_memory

_UNSIGNED_BYTE = 0x08
_PARTS = {"train": "train", "test": "t10k"}


def read_idx(path: str | Path) -> np.ndarray:
    """One IDX file of unsigned bytes, gzipped or not, as a uint8 array.

    The size that the header tells is checked against the file before memory is taken.
    Raises DataFormatError for what is no such file, truncated or too long; FileNotFoundError.
    """
    path = Path(path)
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    size = path.stat().st_size
    try:
        with gzip.open(path, "rb") if zipped else open(path, "rb") as file:
            return _read(path, file, size * LARGEST_RATIO if zipped else size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataFormatError(f"{path}: damaged gzip data: {error}") from error


def _read(path: Path, file: BinaryIO, largest: int) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UNSIGNED_BYTE or not 1 <= magic[3] <= 4:
        raise DataFormatError(
            f"{path}: expected an IDX file of unsigned bytes (00 00 08 0n), got {magic.hex(' ')}"
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DataFormatError(
            f"{path}: the header ends after {4 + len(header)} bytes, expected {4 + 4 * magic[3]}"
        )
    shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(0, len(header), 4))
    count = math.prod(shape)
    if count > largest:
        raise DataFormatError(f"{path}: the header tells shape {shape}, more than the file can hold")
    require_memory(path, f"bytes of shape {shape}", count)
    data = file.read(count + 1)
    if len(data) != count:
        got = "more" if len(data) > count else f"{len(data)}"
        raise DataFormatError(f"{path}: shape {shape} needs {count} bytes, got {got}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def idx_folder(path: str | Path) -> ImageData:
    """MNIST or Fashion-MNIST: a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-..., gz or not.

    The test files may be absent. Raises DataFormatError and FileNotFoundError.
    """
    path = Path(path)
    parts = {}
    for part, prefix in _PARTS.items():
        images, labels = (_find(path, f"{prefix}-{kind}") for kind in ("images", "labels"))
        if images is None and labels is None and part == "test":
            continue
        if images is None or labels is None:
            missing = "images" if images is None else "labels"
            raise FileNotFoundError(f"{path}: no file {prefix}-{missing}-idx*-ubyte or .gz")
        pixels = read_idx(images)
        if pixels.ndim != 3:
            raise DataFormatError(f"{images}: expected shape (N, H, W), got {pixels.shape}")
        parts[part] = (pixels[:, None], read_idx(labels))
    return checked(path.absolute().name, path, parts, None)


def is_idx_folder(path: Path) -> bool:
    return _find(path, "train-images") is not None


def _find(folder: Path, start: str) -> Path | None:
    found = sorted(
        file
        for file in folder.glob(f"{start}*idx?-ubyte*")
        if file.suffix in (".gz", "", ".idx3-ubyte", ".idx1-ubyte")
    )
    return found[0] if found else None

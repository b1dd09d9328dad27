"""NumPy archives: x and y, and x_test and y_test where there is a test part."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from gpudl.data.readers._common import LARGEST_RATIO, DataFormatError, ImageData, checked, require_memory

_DTYPES = tuple(np.dtype(name) for name in ("uint8", "float16", "float32", "float64"))
# What zipfile and NumPy raise on damaged, encrypted and unknown kinds of archives, and on shapes that are none.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    TypeError,
    OverflowError,
)


def npz(path: str | Path) -> ImageData:
    """An .npz file with images x and labels y, and x_test and y_test or neither.

    x : (N, H, W), (N, C, H, W) or (N, H, W, C) with C of 1, 3 or 4; uint8, float16, float32 or float64.
    y : (N,) of integers.
    Pickled objects are refused; sizes are checked against the file before memory is taken.
    Raises DataFormatError, FileNotFoundError.
    """
    path = Path(path)
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                arrays = {name: _member(path, archive, name) for name in ("x", "y", "x_test", "y_test")}
        except DataFormatError:
            raise
        except _DAMAGE as error:
            raise DataFormatError(f"{path}: damaged archive: {error}") from error
    if arrays["x"] is None or arrays["y"] is None:
        raise DataFormatError(f"{path}: expected arrays x and y")
    if (arrays["x_test"] is None) != (arrays["y_test"] is None):
        raise DataFormatError(f"{path}: expected both x_test and y_test, or neither")
    parts = {"train": (_images(path, "x", arrays["x"]), arrays["y"])}
    if arrays["x_test"] is not None:
        parts["test"] = (_images(path, "x_test", arrays["x_test"]), arrays["y_test"])
    return checked(path.stem, path, parts, None)


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray | None:
    if f"{name}.npy" not in archive.namelist():
        return None
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > LARGEST_RATIO * max(info.compress_size, 1):
        raise DataFormatError(f"{path}: {name} claims {info.file_size} bytes, more than the file can hold")
    with archive.open(info) as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)  # fmt: skip
            if read_header is None:
                raise DataFormatError(f"{path}: {name} has .npy version {version}, expected (1, 0) or (2, 0)")
            shape, _, dtype = read_header(file)
            start = file.tell()
        except ValueError as error:
            raise DataFormatError(f"{path}: {name} is no .npy array: {error}") from error
    if dtype.hasobject:
        raise DataFormatError(f"{path}: {name} holds Python objects, expected numbers")
    if math.prod(shape) * dtype.itemsize != info.file_size - start:
        raise DataFormatError(f"{path}: {name} of {dtype} {shape} does not fit its {info.file_size} bytes")
    require_memory(path, f"values of {name}, {dtype} of shape {shape},", info.file_size)
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _images(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    x = x.astype(x.dtype.newbyteorder("="), copy=False)
    if x.dtype not in _DTYPES:
        words = ", ".join(dtype.name for dtype in _DTYPES)
        raise DataFormatError(f"{path}: {name} must be one of {words}, got {x.dtype}")
    if x.ndim == 3:
        return x[:, None]
    if x.ndim == 4 and x.shape[1] in (1, 3, 4):
        return x
    if x.ndim == 4 and x.shape[3] in (1, 3, 4):
        return x.transpose(0, 3, 1, 2)
    raise DataFormatError(
        f"{path}: {name} must have shape (N, H, W), (N, C, H, W) or (N, H, W, C) with C of 1, 3 or 4, got {x.shape}"
    )

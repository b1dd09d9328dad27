"""What the contracts of image transforms share: batches of images, and the tables of numbers that belong to them.

Numbers of a transform are drawn on the host, so they come as numbers, lists or NumPy arrays whatever the images
are. They are checked here, and `table` moves them to the images.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result

UINT8 = np.dtype(np.uint8)
IMAGE_DTYPES = (UINT8, *_arrays.FLOAT_DTYPES)
LAYOUT = "(N, C, H, W)"
_LARGEST = 2**30  # of any number in a table: float32 coordinates made of them are finite


class Batch(NamedTuple):
    """What a contract asks of a batch of images, which need not be there yet."""

    shape: tuple[int, ...]  # (N, C, H, W)
    dtype: np.dtype


def require_images(op: str, x: Array) -> ModuleType:
    """Check for a batch of images; return the executor that runs it."""
    executor = _arrays.require_arrays(op, x=x)
    if x.dtype not in IMAGE_DTYPES:
        raise TypeError(f"{op}: x must be uint8, float16, bfloat16, float32 or float64, got {x.dtype}")
    _arrays.require_ndim(op, "x", x, LAYOUT)
    return executor


def sized(x: Array | Batch, size: tuple[int, ...]) -> Batch:
    """Images of (P, Q) pixels, else like x."""
    return Batch((*x.shape[:2], *size), x.dtype)


def result(op: str, made: Batch, x: Array, out: Array | None) -> Result:
    """Where the images that are made of x go."""
    return Result(op, made.shape, out, {"x": x}, dtype=made.dtype, channels_last=True)


def ints(
    op: str, name: str, value: Any, count: int, each: tuple[int, ...] = (), *, minimum: int = -_LARGEST
) -> np.ndarray:
    """Ints of shape `each`, or `count` times as many, as int64 of (count, *each)."""
    return _numbers(op, name, value, count, each, "iu", "ints", minimum).astype(np.int64)


def reals(
    op: str, name: str, value: Any, count: int, each: tuple[int, ...] = (), *, minimum: float = -_LARGEST
) -> np.ndarray:
    """Numbers of shape `each`, or `count` times as many, as float64 of (count, *each)."""
    return _numbers(op, name, value, count, each, "iuf", "numbers", minimum).astype(np.float64)


def bools(op: str, name: str, value: Any, count: int) -> np.ndarray:
    """A bool, or `count` of them, as an array of (count,)."""
    return _numbers(op, name, value, count, (), "b", "bools", None).astype(np.bool_)


def channel_values(op: str, name: str, value: Any, x: Array | Batch) -> np.ndarray:
    """A number, or one for each channel, as (C,) of the dtype of x; uint8 takes whole numbers in [0, 255]."""
    values = reals(op, name, value, x.shape[1])
    if x.dtype == UINT8 and not ((values >= 0) & (values <= 255) & (values == np.rint(values))).all():
        raise ValueError(f"{op}: {name} must be whole numbers in [0, 255] for uint8 images, got {value!r}")
    return values.astype(x.dtype)


def table(values: np.ndarray, x: Array) -> Array:
    """A table of parameters, C-contiguous, where the images are."""
    return _backend.array_module(x).asarray(np.ascontiguousarray(values))


def tables(values: Iterable[np.ndarray], x: Array) -> list[Array]:
    """`table` of each."""
    return [table(each, x) for each in values]


def _numbers(
    op: str,
    name: str,
    value: Any,
    count: int,
    each: tuple[int, ...],
    kinds: str,
    words: str,
    minimum: float | None,
) -> np.ndarray:
    if _backend.is_cupy(value):
        raise TypeError(f"{op}: {name} must be {words} on the host, got a CuPy array")
    shape = (count, *each)
    try:
        values = np.asarray(value)
    except ValueError:
        raise ValueError(f"{op}: {name} must have shape {each} or {shape}, got a ragged list") from None
    empty_list = values.size == 0 and values.dtype.kind == "f"
    if values.dtype.kind not in kinds and not empty_list:
        kind = values.dtype if isinstance(value, np.ndarray | list | tuple) else type(value).__name__
        raise TypeError(f"{op}: {name} must be {words}, got {kind}")
    if values.shape not in (each, shape):
        raise ValueError(f"{op}: {name} must have shape {each} or {shape}, got {values.shape}")
    if minimum is not None and values.size:
        low, high = values.min(), values.max()
        if not (low >= minimum and high <= _LARGEST):  # false for NaN
            raise ValueError(f"{op}: {name} must be in [{minimum}, {_LARGEST}], got {low} to {high}")
    return np.broadcast_to(values, shape)

"""Normalisation of images, per channel: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch


def image_normalize(x: Array, mean: Any, std: Any, *, dtype: Any = None, out: Array | None = None) -> Array:
    """y[n, c] = (x[n, c] - mean[c]) * (1 / std[c]), cast and stored channels-last in the same pass.

    Parameters
    ----------
    x : (N, C, H, W) uint8, float16, bfloat16, float32 or float64, NumPy or CuPy.
    mean, std : a number, or (C,) numbers, in the units of x; std is not 0.
    dtype : float16, bfloat16, float32 or float64; None for float32 from uint8, else that of x.
    out : array of that dtype to write to, or None for a new one.

    Returns y : (N, C, H, W) of dtype.

    Raises
    ------
    ValueError : a number or shape does not fit. TypeError : a dtype is unsupported.

    Computed in float32, or float64 where x or y is: mean[c] and 1 / std[c] are rounded to it, then one subtraction,
    one product and the cast are rounded each. Every executor gives the same bits.
    """
    op = "image_normalize"
    executor = _images.require_images(op, x)
    made, tables = normalize_tables(op, x, mean, std, dtype=dtype)
    y = _images.result(op, made, x, out)
    if y.array.size:
        source = _arrays.dense(x)
        memory = source.transpose(0, 2, 3, 1)
        planes = not memory.flags.c_contiguous
        executor.image_normalize(
            source if planes else memory,
            *_images.tables(tables, x),
            y.array.transpose(0, 2, 3, 1),
            planes=int(planes),
        )
    return y.finish()


def normalize_tables(
    op: str, x: Array | Batch, mean: Any, std: Any, *, dtype: Any = None
) -> tuple[Batch, list[np.ndarray]]:
    """What `image_normalize` makes of x, and the means and factors that its executors take."""
    made = normalized_dtype(op, x, dtype)
    wide = np.dtype(np.float64 if np.dtype(np.float64) in (x.dtype, made) else np.float32)
    means = _images.reals(op, "mean", mean, x.shape[1]).astype(wide)
    deviations = _images.reals(op, "std", std, x.shape[1])
    if (deviations == 0).any():
        raise ValueError(f"{op}: std must not be 0, got {std!r}")
    with np.errstate(over="ignore"):
        factors = (1 / deviations).astype(wide)
    if not np.isfinite(factors).all():
        raise ValueError(f"{op}: 1 / std must be finite in {wide}, got std {std!r}")
    return Batch(x.shape, made), [means, factors]


def normalized_dtype(op: str, x: Array | Batch, dtype: Any) -> np.dtype:
    """That of the result."""
    if dtype is None and x.dtype != _images.UINT8:
        return x.dtype
    return _arrays.float_dtype(op, dtype)

"""Norm, non-finite test, scaling, clamping and running average of one flat array: contracts."""

from __future__ import annotations

import math

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays, _segments

_BLOCK = 1 << 16  # elements per partial result, fixed, so that the order of the sum is


def flat_norm(x: Array, *, norm_type: float = 2.0) -> float:
    """The norm (sum |x|**norm_type)**(1/norm_type) of a flat array.

    x : (M,) float16, bfloat16, float32 or float64, contiguous, NumPy or CuPy.
    norm_type : any number; inf is the largest |x|, -inf the smallest, 0 counts what is not zero.

    Returns a float; 0 for an empty array. Sums of 65536 elements in float64, merged in order; NumPy's BLAS takes
    squares of float32 in float32. The call waits for a GPU. Raises TypeError or ValueError for another dtype, rank or
    stride.
    """
    op = "flat_norm"
    executor = _segments.require_flat(op, x=x)
    power = _arrays.extended_real(op, "norm_type", norm_type)
    if x.size == 0:
        return 0.0
    partials = _partials(x)
    executor.flat_norm_partials(x, partials, norm_type=power)
    return _merged_norm(_backend.move(partials, "cpu"), power)


def _partials(x: Array) -> Array:
    return _arrays.empty((-(-x.size // _BLOCK),), np.dtype(np.float64), like=x)


def _merged_norm(partials: np.ndarray, norm_type: float) -> float:
    """One norm from partial sums (or extremes) of powers."""
    if norm_type == math.inf:
        return float(partials.max())
    if norm_type == -math.inf:
        return float(partials.min())
    total = float(partials.sum())
    if norm_type == 0:
        return total
    with np.errstate(all="ignore"):
        return float(np.float64(total) ** (1 / norm_type))


def flat_has_nonfinite(x: Array) -> bool:
    """True where a flat array holds inf or NaN.

    x : (M,) float16, bfloat16, float32 or float64, contiguous. Raises TypeError or ValueError otherwise.
    The call waits for a GPU.
    """
    executor = _segments.require_flat("flat_has_nonfinite", x=x)
    partials = _partials(x)
    executor.flat_nonfinite_partials(x, partials)
    return bool(_backend.move(partials, "cpu").any())


def flat_scale(x: Array, *, factor: float) -> None:
    """Multiply a flat array by a number, in place: x *= factor.

    x : (M,) float16, bfloat16, float32 or float64, contiguous, writeable; ValueError or TypeError otherwise.
    """
    executor = _segments.require_flat("flat_scale", x=x)
    _segments.require_writeable("flat_scale", x=x)
    executor.flat_scale(x, factor=_arrays.extended_real("flat_scale", "factor", factor))


def flat_clamp(x: Array, *, limit: float) -> None:
    """Clamp a flat array to [-limit, limit], in place; NaN stays NaN.

    x : (M,) float16, bfloat16, float32 or float64, contiguous, writeable; limit >= 0. ValueError or TypeError
    otherwise.
    """
    executor = _segments.require_flat("flat_clamp", x=x)
    _segments.require_writeable("flat_clamp", x=x)
    executor.flat_clamp(x, limit=_arrays.real("flat_clamp", "limit", limit, minimum=0))


def flat_average(x: Array, average: Array, *, decay: float) -> None:
    """Move a running average, in place: average = decay * average + (1 - decay) * x.

    x : (M,) float16, bfloat16, float32 or float64, contiguous. average : (M,), dtype of x, or float32 where x is
    half precision (an average in half precision stands still). decay : in [0, 1]. ValueError or TypeError otherwise.
    """
    op = "flat_average"
    executor = _segments.require_flat(op, x=x)
    _segments.require_flat(op, average=average)
    _segments.require_writeable(op, average=average)
    _arrays.require_shape(op, "average", average, x.shape, "that of x")
    expected = np.float64 if x.dtype == np.float64 else np.float32
    if average.dtype != expected:
        raise TypeError(f"{op}: average must be {np.dtype(expected)} for x of {x.dtype}, got {average.dtype}")
    executor.flat_average(x, average, decay=_arrays.real(op, "decay", decay, minimum=0, maximum=1))

"""Norm, non-finite test, scaling, clamping and running average of one flat array: contracts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays, _segments

_BLOCK = 1 << 16  # elements per partial result, fixed, so that the order of the sum is


def flat_norm(x: Array | Sequence[Array], *, norm_type: float = 2.0) -> float:
    """The norm (sum |x|**norm_type)**(1/norm_type) of a flat array, or of several together.

    x : (M,) float16, bfloat16, float32 or float64, contiguous, NumPy or CuPy; or a list of them on one device.
    norm_type : any number; inf is the largest |x|, -inf the smallest, 0 counts what is not zero (of a list: its
    arrays that are not all zero, as the norm of their norms in PyTorch).

    Returns a float; 0 for empty arrays. Sums of 65536 elements in float64, merged in order; NumPy's BLAS takes
    squares of float32 in float32. The call waits for a GPU. Raises TypeError or ValueError for another dtype, rank or
    stride.
    """
    op = "flat_norm"
    arrays = _filled(op, x)
    power = _arrays.extended_real(op, "norm_type", norm_type)
    return float(_backend.move(_norm(x, arrays, power), "cpu")[0]) if arrays else 0.0


def flat_clip_norm(x: Array | Sequence[Array], *, max_norm: float, norm_type: float = 2.0) -> Array:
    """Multiply flat arrays by min(1, max_norm / (norm + 1e-6)), in place, norm being that of all of them together.

    x, norm_type : as for `flat_norm`; writeable. max_norm : >= 0; inf only takes a finite norm.
    Returns the norm before, () float64 on the device of x; nobody waits for it. A norm of NaN, or of inf where max_norm
    is inf, makes all of x NaN.
    """
    op = "flat_clip_norm"
    arrays = _filled(op, x)
    for array in arrays:
        _segments.require_writeable(op, x=array)
    limit = _arrays.extended_real(op, "max_norm", max_norm, minimum=0)
    power = _arrays.extended_real(op, "norm_type", norm_type)
    if not arrays:
        return np.zeros(())
    executor, norm, factor = _backend.executor(arrays[0]), _norm(x, arrays, power), _doubles(1, arrays[0])
    executor.flat_clip_factor(norm, factor, max_norm=limit)
    for array in arrays:
        executor.flat_scale(array, factor)
    return norm[0, ...]


def _filled(op: str, x: Array | Sequence[Array]) -> list[Array]:
    """The arrays that have elements; all are checked."""
    arrays = list(x) if isinstance(x, list | tuple) else [x]
    for array in arrays:
        _segments.require_flat(op, x=array)
    if len(arrays) > 1:
        _arrays.require_arrays(op, **{f"x[{i}]": array for i, array in enumerate(arrays)})
    return [array for array in arrays if array.size]


def _norm(x: Array | Sequence[Array], arrays: Sequence[Array], power: float) -> Array:
    """(1,) float64, on the device of the arrays: those of `x` that have elements."""
    if power == 0 and not _backend.is_array(x):
        norms = _doubles(len(arrays), arrays[0])
        for i, array in enumerate(arrays):
            _merge(_partials_of([array], power), norms[i : i + 1], power)
        arrays = [norms]
    norm = _doubles(1, arrays[0])
    _merge(_partials_of(arrays, power), norm, power)
    return norm


def _partials_of(arrays: Sequence[Array], power: float) -> Array:
    """Of one array after the other, a number for each block of it."""
    counts = [_blocks(array) for array in arrays]
    partials, begin = _doubles(sum(counts), arrays[0]), 0
    reduce = _backend.executor(arrays[0]).flat_norm_partials
    for array, count in zip(arrays, counts, strict=True):
        reduce(array, partials[begin : begin + count], norm_type=power)
        begin += count
    return partials


def _merge(partials: Array, norm: Array, power: float) -> None:
    _backend.executor(partials).flat_norm(partials, norm, norm_type=power)


def _blocks(x: Array) -> int:
    return -(-x.size // _BLOCK)


def _doubles(count: int, like: Array) -> Array:
    return _arrays.empty((count,), np.dtype(np.float64), like=like)


def flat_has_nonfinite(x: Array) -> bool:
    """True where a flat array holds inf or NaN.

    x : (M,) float16, bfloat16, float32 or float64, contiguous. Raises TypeError or ValueError otherwise.
    The call waits for a GPU.
    """
    executor = _segments.require_flat("flat_has_nonfinite", x=x)
    partials = _doubles(_blocks(x), x)
    executor.flat_nonfinite_partials(x, partials)
    return bool(_backend.move(partials, "cpu").any())


def flat_scale(x: Array, *, factor: float) -> None:
    """Multiply a flat array by a number, in place: x *= factor.

    x : (M,) float16, bfloat16, float32 or float64, contiguous, writeable; ValueError or TypeError otherwise.
    """
    op = "flat_scale"
    executor = _segments.require_flat(op, x=x)
    _segments.require_writeable(op, x=x)
    number = _arrays.extended_real(op, "factor", factor)
    executor.flat_scale(x, _backend.array_module(x).full((1,), number))


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

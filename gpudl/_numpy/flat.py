"""Passes over one flat array: norms, the non-finite test, scaling, clamping, running average."""

from __future__ import annotations

import math

import numpy as np

from gpudl import _parallel
from gpudl._numpy._lerp import lerp_
from gpudl._numpy._precision import accumulation_dtype

_BLOCK = 1 << 16  # elements
_SHORT = 1 << 10  # elements: to split them over threads takes longer than the work


def flat_norm_partials(x: np.ndarray, partials: np.ndarray, *, norm_type: float) -> None:
    """Per block of 65536 elements: sum |x|**norm_type, largest |x| for inf, smallest for -inf, x != 0 for 0.

    partials : float64, one per block; they are merged in order by the caller.
    """
    if norm_type == 2 and len(x) <= _SHORT and _has_squares(x):
        total = float(np.einsum("i,i->", x, x))  # no BLAS, whose threads would have to be held back
        if _holds_squares(total):
            partials[0] = total
            return
    blocks = _parallel.ranges(len(x), _BLOCK)

    def reduce_block(i: int) -> None:
        partials[i] = _partial(x[slice(*blocks[i])], norm_type)

    _parallel.run(reduce_block, len(blocks))


def _partial(x: np.ndarray, norm_type: float) -> float:
    if norm_type == 2 and _has_squares(x):
        total = float(np.dot(x, x))
        if _holds_squares(total) or x.dtype == np.float64:
            return total
    magnitudes = np.abs(x.astype(np.float64))
    if norm_type == math.inf:
        return float(magnitudes.max())
    if norm_type == -math.inf:
        return float(magnitudes.min())
    if norm_type == 0:
        return float(np.count_nonzero(magnitudes))
    return float((magnitudes**norm_type).sum())


def _has_squares(x: np.ndarray) -> bool:
    """Whether a sum of squares is first tried in the dtype of x."""
    return x.dtype.char in "fd"  # float32 and float64


def _holds_squares(total: float) -> bool:
    """False out of float32's range, or near its lower end where squares lose digits: again in float64."""
    return 1e-25 < total < math.inf


def flat_norm(partials: np.ndarray, norm: np.ndarray, *, norm_type: float) -> None:
    """norm[0] from the partial results of one or several arrays."""
    if norm_type == math.inf:
        norm[0] = partials.max(initial=0)
    elif norm_type == -math.inf:
        norm[0] = partials.min(initial=math.inf)
    elif norm_type == 0:
        norm[0] = partials.sum()
    else:
        with np.errstate(all="ignore"):
            total = partials.sum()
            norm[0] = np.sqrt(total) if norm_type == 2 else total ** (1 / norm_type)


def flat_clip_factor(norm: np.ndarray, factor: np.ndarray, *, max_norm: float) -> None:
    """factor[0] = min(1, max_norm / (norm[0] + 1e-6)); NaN for a norm of NaN."""
    with np.errstate(invalid="ignore"):
        np.minimum(1, max_norm / (norm + 1e-6), out=factor)


def flat_nonfinite_partials(x: np.ndarray, partials: np.ndarray) -> None:
    """Per block of 65536 elements: 1 where one is inf or NaN, else 0."""
    blocks = _parallel.ranges(len(x), _BLOCK)

    def test_block(i: int) -> None:
        partials[i] = not np.isfinite(x[slice(*blocks[i])]).all()

    _parallel.run(test_block, len(blocks), blas=False)


def flat_scale(x: np.ndarray, factor: np.ndarray) -> None:
    """x *= factor[0]; half precision is multiplied in float32, so that the factor is not rounded to it."""
    by = float(factor[0])
    if by == 1:
        return
    wide = accumulation_dtype(x.dtype)
    blocks = _parallel.ranges(len(x), _BLOCK)

    def scale_block(i: int) -> None:
        part = x[slice(*blocks[i])]
        part[...] = np.multiply(part.astype(wide, copy=False), by)

    _parallel.run(scale_block, len(blocks), blas=False)


def flat_clamp(x: np.ndarray, *, limit: float) -> None:
    """x = clamp(x, -limit, limit); NaN stays."""
    blocks = _parallel.ranges(len(x), _BLOCK)

    def clamp_block(i: int) -> None:
        part = x[slice(*blocks[i])]
        np.clip(part, x.dtype.type(-limit), x.dtype.type(limit), out=part)

    _parallel.run(clamp_block, len(blocks), blas=False)


def flat_average(x: np.ndarray, average: np.ndarray, *, decay: float) -> None:
    """average = decay * average + (1 - decay) * x; average is float32 where x is half precision."""
    blocks = _parallel.ranges(len(x), _BLOCK)

    def average_block(i: int) -> None:
        piece = slice(*blocks[i])
        value = x[piece].astype(average.dtype, copy=False)
        lerp_(average[piece], value, 1 - decay, _parallel.scratch("average", value.shape, value.dtype))

    _parallel.run(average_block, len(blocks), blas=False)

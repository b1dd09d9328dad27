"""Losses that are a sum over elements: blocks that stay in cache, partial sums in a fixed order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel
from gpudl._numpy._elementwise import BLOCK

# Elements that one thread does before a second one is awake: the passes of a loss over 65536 take 60 us or more.
_ALONE = 1 << 16


def sum_terms(
    term: Callable[..., None],
    arrays: list[np.ndarray],
    loss: np.ndarray | None,
    value: np.ndarray | None,
    scale: float,
) -> None:
    """loss = term(*arrays), or value[0] = scale * its sum; `term` writes its last argument. All (M,)."""
    pieces = _pieces(arrays[0])
    partials = np.zeros(len(pieces))

    def block(i: int) -> None:
        parts = [array[slice(*pieces[i])] for array in arrays]
        out = scratch_like("terms", parts[0]) if loss is None else loss[slice(*pieces[i])]
        term(*parts, out)
        if value is not None:
            partials[i] = np.add.reduce(out)

    _parallel.run(block, len(pieces), blas=False)
    if value is not None:
        with np.errstate(all="ignore"):
            value[0] = np.add.reduce(partials) * scale


def scaled_derivatives(
    derivative: Callable[..., None],
    arrays: list[np.ndarray],
    gradient: np.ndarray,
    dx: np.ndarray,
    scale: float,
) -> None:
    """dx = scale * gradient * derivative(*arrays); gradient : (M,) or (1,)."""
    pieces = _pieces(arrays[0])

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        parts = [array[piece] for array in arrays]
        out = scratch_like("terms", parts[0])
        factor = gradient if len(gradient) == 1 else gradient[piece]
        derivative(*parts, out)
        np.multiply(out, factor * scale, out=dx[piece])

    _parallel.run(block, len(pieces), blas=False)


def _pieces(x: np.ndarray) -> list[tuple[int, int]]:
    return _parallel.equal_ranges(len(x), BLOCK, alone=_ALONE, multiple=16)


def scratch_like(key: str, x: np.ndarray) -> np.ndarray:
    return _parallel.scratch(f"losses_{key}", x.shape, x.dtype)


def sign_of_difference(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
    """(x > t) - (x < t): 0 for NaN, as in PyTorch, and half the time of numpy.sign."""
    above, below = (_parallel.scratch(f"losses_{key}", x.shape, np.bool_) for key in ("above", "below"))
    np.greater(x, t, out=above)
    np.less(x, t, out=below)
    sign = above.view(np.int8)
    sign -= below.view(np.int8)
    np.copyto(out, sign)


def bounded_square(d: np.ndarray, bound: float, divisor: float = 1) -> None:
    """d * d / 2 where |d| < bound, else bound * (|d| - bound / 2), in place; over a divisor.

    With m = clip(d, -bound, bound) that is m * (d - m / 2), for both signs of d. The divisor goes to m, because the
    product may be too large for the dtype.
    """
    m, half = scratch_like("bounded", d), scratch_like("half", d)
    np.clip(d, -bound, bound, out=m)
    np.multiply(m, 0.5, out=half)
    if divisor != 1:
        m /= divisor
    d -= half
    d *= m

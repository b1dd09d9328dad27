"""Losses that are a sum over elements: blocks that stay in cache, partial sums in a fixed order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel

_BLOCK = 1 << 15  # elements: two inputs and two buffers in the second-level cache


def sum_terms(
    term: Callable[..., None],
    arrays: list[np.ndarray],
    loss: np.ndarray | None,
    value: np.ndarray | None,
    scale: float,
) -> None:
    """loss = term(*arrays), or value[0] = scale * its sum; `term` writes its last argument. All (M,)."""
    pieces = _parallel.ranges(len(arrays[0]), _BLOCK)
    partials = np.zeros(len(pieces))

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        out = _scratch("terms", piece, arrays[0].dtype) if loss is None else loss[piece]
        with np.errstate(all="ignore"):
            term(*(array[piece] for array in arrays), out)
            if value is not None:
                partials[i] = np.add.reduce(out)

    _parallel.run(block, len(pieces))
    if value is not None:
        with np.errstate(all="ignore"):
            value[0] = partials.sum() * scale


def scaled_derivatives(
    derivative: Callable[..., None],
    arrays: list[np.ndarray],
    gradient: np.ndarray,
    dx: np.ndarray,
    scale: float,
) -> None:
    """dx = scale * gradient * derivative(*arrays); gradient : (M,) or (1,)."""
    pieces = _parallel.ranges(len(arrays[0]), _BLOCK)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        factor = gradient if len(gradient) == 1 else gradient[piece]
        with np.errstate(all="ignore"):
            derivative(*(array[piece] for array in arrays), dx[piece])
            dx[piece] *= factor * dx.dtype.type(scale)

    _parallel.run(block, len(pieces))


def _scratch(key: str, piece: slice, dtype: np.dtype) -> np.ndarray:
    return _parallel.scratch(f"losses_{key}", (piece.stop - piece.start,), dtype)


def scratch_like(key: str, x: np.ndarray) -> np.ndarray:
    return _parallel.scratch(f"losses_{key}", x.shape, x.dtype)

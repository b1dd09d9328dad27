"""Softmax and its logarithm over the rows of (rows, extent), in blocks of rows that stay in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import computed_in_float32

_BLOCK = 1 << 16  # elements


@computed_in_float32("y")
def softmax_forward(x: np.ndarray, y: np.ndarray) -> None:
    """y = exp(x - max) / sum."""

    def block(rows: slice) -> None:
        part = y[rows]
        np.divide(part, _exponentials(x[rows], part), out=part)

    _over_rows(block, x)


@computed_in_float32("y")
def log_softmax_forward(x: np.ndarray, y: np.ndarray) -> None:
    """y = (x - max) - log(sum of exp(x - max))."""

    def block(rows: slice) -> None:
        exponentials = _parallel.scratch("softmax", x[rows].shape, x.dtype)
        total = _exponentials(x[rows], exponentials)
        np.subtract(x[rows], x[rows].max(axis=1, keepdims=True), out=y[rows])
        np.subtract(y[rows], np.log(total), out=y[rows])

    _over_rows(block, x)


@computed_in_float32("dx")
def softmax_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    """dx = y * (dy - sum(dy * y))."""

    def block(rows: slice) -> None:
        part = dx[rows]
        np.multiply(dy[rows], y[rows], out=part)
        total = part.sum(axis=1, keepdims=True)
        np.subtract(dy[rows], total, out=part)
        np.multiply(part, y[rows], out=part)

    _over_rows(block, dy)


@computed_in_float32("dx")
def log_softmax_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    """dx = dy - exp(y) * sum(dy)."""

    def block(rows: slice) -> None:
        part = dx[rows]
        np.exp(y[rows], out=part)
        np.multiply(part, dy[rows].sum(axis=1, keepdims=True), out=part)
        np.subtract(dy[rows], part, out=part)

    _over_rows(block, dy)


def _exponentials(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """out = exp(x - max of the row); returns the sum of each row."""
    np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    return out.sum(axis=1, keepdims=True)


def _over_rows(block: Callable[[slice], None], array: np.ndarray) -> None:
    if array.size == 0:
        return
    pieces = _parallel.ranges(len(array), max(1, _BLOCK // array.shape[1]))

    def piece(i: int) -> None:
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):  # inf - inf is NaN, as in PyTorch
            block(slice(*pieces[i]))

    _parallel.run(piece, len(pieces))

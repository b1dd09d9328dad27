"""Adaptive average pooling on channels-last memory, bin by bin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._elementwise import clear
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def adaptive_avg_pool2d_forward(x: np.ndarray, y: np.ndarray) -> None:
    """x : (N, H, W, C). y : (N, P, Q, C)."""
    pieces = _windows.samples(x.shape)

    def block(i: int) -> None:
        for p, q, rows, columns, size in bins(x.shape, y.shape):
            part, target = x[pieces[i], rows, columns], y[pieces[i], p : p + 1, q]
            if size == x.shape[1] * x.shape[2]:
                mean_of_rows(part.reshape(len(part), size, -1), target)
            else:
                np.divide(part.sum(axis=(1, 2)), size, out=target[:, 0])

    _parallel.run(block, len(pieces))


def mean_of_rows(x: np.ndarray, y: np.ndarray) -> None:
    """y (N, 1, C) = mean over L of x (N, L, C); a product with ones takes a quarter of the time of numpy.add.reduce."""
    np.matmul(np.ones((1, x.shape[1]), x.dtype), x, out=y)
    y /= x.shape[1]


@computed_in_float32("dx")
def adaptive_avg_pool2d_backward(dy: np.ndarray, dx: np.ndarray) -> None:
    """dy : (N, P, Q, C). dx : (N, H, W, C)."""
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        clear(dx[pieces[i]])
        for p, q, rows, columns, size in bins(dx.shape, dy.shape):
            dx[pieces[i], rows, columns] += (dy[pieces[i], p, q] / size)[:, None, None]

    _parallel.run(block, len(pieces), blas=False)


def bins(x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Iterator[tuple[int, int, slice, slice, int]]:
    """(p, q, rows, columns, size) of each bin: [floor(i n / m), ceil((i + 1) n / m)) along each axis."""
    rows, columns = (_edges(size, out) for size, out in zip(x_shape[1:3], y_shape[1:3], strict=True))
    for p, row in enumerate(rows):
        for q, column in enumerate(columns):
            yield p, q, row, column, (row.stop - row.start) * (column.stop - column.start)


def _edges(size: int, out: int) -> list[slice]:
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]

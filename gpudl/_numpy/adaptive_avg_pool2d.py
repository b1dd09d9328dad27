"""Adaptive average pooling on channels-last memory, along H and then along W."""

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
    rows, columns = (_edges(*axis) for axis in zip(x.shape[1:3], y.shape[1:3], strict=True))
    sizes = _sizes(rows, columns, x.dtype)
    pieces = _windows.samples(x.shape)

    def block(i: int) -> None:
        images, means = x[pieces[i]], y[pieces[i]]
        if y.shape[1:3] == (1, 1):
            mean_of_rows(images.reshape(len(images), -1, x.shape[3]), means[:, 0])
            return
        sums = _parallel.scratch("avg_pool2d_rows", (len(images), len(rows), *x.shape[2:]), x.dtype)
        for p, row in enumerate(rows):
            np.add.reduce(images[:, row], axis=1, out=sums[:, p])
        for q, column in enumerate(columns):
            np.add.reduce(sums[:, :, column], axis=2, out=means[:, :, q])
        means /= sizes

    _parallel.run(block, len(pieces))


def mean_of_rows(x: np.ndarray, y: np.ndarray) -> None:
    """y (N, 1, C) = mean over L of x (N, L, C); a product with ones takes a quarter of the time of numpy.add.reduce."""
    np.matmul(np.ones((1, x.shape[1]), x.dtype), x, out=y)
    y /= x.shape[1]


@computed_in_float32("dx")
def adaptive_avg_pool2d_backward(dy: np.ndarray, dx: np.ndarray) -> None:
    """dy : (N, P, Q, C). dx : (N, H, W, C)."""
    rows, columns = (_edges(*axis) for axis in zip(dx.shape[1:3], dy.shape[1:3], strict=True))
    sizes = _sizes(rows, columns, dy.dtype)
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        target = dx[pieces[i]]
        share = dy[pieces[i]] / sizes
        wide = _parallel.scratch("avg_pool2d_rows", (len(target), len(rows), *dx.shape[2:]), dx.dtype)
        _spread(2, columns, share, wide)
        _spread(1, rows, wide, target)

    _parallel.run(block, len(pieces), blas=False)


def _spread(axis: int, edges: list[slice], y: np.ndarray, x: np.ndarray) -> None:
    """x = for each element the sum of y over the bins along one axis that hold it."""
    before = (slice(None),) * axis
    apart = x.shape[axis] % len(edges) == 0  # then each element is in one bin
    if not apart:
        clear(x)
    for i, edge in enumerate(edges):
        part, share = x[(*before, edge)], y[(*before, slice(i, i + 1))]
        if apart:
            part[...] = share
        else:
            np.add(part, share, out=part)


def bins(x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Iterator[tuple[int, int, slice, slice, int]]:
    """(p, q, rows, columns, size) of each bin: [floor(i n / m), ceil((i + 1) n / m)) along each axis."""
    rows, columns = (_edges(size, out) for size, out in zip(x_shape[1:3], y_shape[1:3], strict=True))
    for p, row in enumerate(rows):
        for q, column in enumerate(columns):
            yield p, q, row, column, (row.stop - row.start) * (column.stop - column.start)


def _edges(size: int, out: int) -> list[slice]:
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _sizes(rows: list[slice], columns: list[slice], dtype: np.dtype) -> np.ndarray:
    """(P, Q, 1), how many elements the bins have."""
    heights, widths = (np.array([part.stop - part.start for part in axis], dtype) for axis in (rows, columns))
    return (heights[:, None] * widths)[..., None]

"""Adaptive max pooling on channels-last memory: windows where the bins are equal, else one axis after the other."""

from __future__ import annotations

import math

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.adaptive_avg_pool2d import bins
from gpudl._numpy.max_pool2d import add_at_places, largest_along, max_pool2d_forward, max_pool2d_indices


@computed_in_float32("y")
def adaptive_max_pool2d_forward(x: np.ndarray, y: np.ndarray, indices: np.ndarray) -> None:
    """x : (N, H, W, C). y, indices : (N, P, Q, C)."""
    if y.size == 0:
        return
    height, width = x.shape[1:3]
    size = (height // y.shape[1], width // y.shape[2])
    if (size[0] * y.shape[1], size[1] * y.shape[2]) == (height, width) and math.prod(size) <= 1 << 16:
        _equal_bins(x, y, indices, size)
        return
    (tops, rows), (lefts, columns) = (_views(*axis) for axis in zip(x.shape[1:3], y.shape[1:3], strict=True))
    corners = (tops[:, None] * width + lefts)[..., None]
    steps = (np.arange(len(rows))[:, None] * width + np.arange(len(columns))).reshape(-1)
    code = np.min_scalar_type(steps.size)
    pieces = _windows.samples(x.shape)

    def block(i: int) -> None:
        images, found, place = x[pieces[i]], y[pieces[i]], indices[pieces[i]]
        shape = (len(images), height, *y.shape[2:])
        largest = _parallel.scratch("max_pool2d_largest", shape, x.dtype)
        column_codes = _parallel.scratch("max_pool2d_codes", shape, code)
        codes = _parallel.scratch("max_pool2d_offsets", found.shape, code)
        largest_along(2, columns, images, None, largest, column_codes)
        largest_along(1, rows, largest, column_codes, found, codes, len(columns))
        np.take(steps, codes, out=place, mode="clip")
        place += corners
        _last_nan(images, found, place)

    _parallel.run(block, len(pieces), blas=False)


@_windows.remembered
def _views(size: int, out: int) -> tuple[np.ndarray, tuple[tuple[int, bool, slice, np.ndarray], ...]]:
    """Where the bins of an axis start, and by offset the elements of all of them, as `largest_along` wants them.

    A bin shorter than others has its last element again, which is not larger than itself.
    """
    starts = np.arange(out) * size // out
    lasts = -(-np.arange(1, out + 1) * size // out) - 1
    views = [
        (offset, offset == 0, slice(0, out), np.minimum(starts + offset, lasts))
        for offset in range(int((lasts - starts).max()) + 1)
    ]
    return starts, tuple(views)


def _last_nan(x: np.ndarray, y: np.ndarray, indices: np.ndarray) -> None:
    """Indices of the last NaN where the largest is one, as in PyTorch."""
    missing = np.isnan(y)
    if not missing.any():
        return
    for p, q, rows, columns, count in bins(x.shape, y.shape):
        if missing[:, p, q].any():
            part = np.isnan(x[:, rows, columns]).reshape(len(x), count, -1)
            r, s = np.divmod(count - 1 - part[:, ::-1].argmax(axis=1), columns.stop - columns.start)
            last = (r + rows.start) * x.shape[2] + s + columns.start
            np.copyto(indices[:, p, q], last, where=missing[:, p, q])


def _equal_bins(x: np.ndarray, y: np.ndarray, indices: np.ndarray, size: _windows.Pair) -> None:
    """Bins of one size are windows that lie side by side."""
    offsets = np.empty(y.shape, np.uint8 if math.prod(size) <= 256 else np.uint16)
    numbers = {"kernel_size": size, "stride": size, "padding": (0, 0), "dilation": (1, 1)}
    max_pool2d_forward(x, y, offsets, **numbers)
    max_pool2d_indices(offsets, indices, height=x.shape[1], width=x.shape[2], **numbers)


@computed_in_float32("dx")
def adaptive_max_pool2d_backward(dy: np.ndarray, indices: np.ndarray, dx: np.ndarray) -> None:
    """dy, indices : (N, P, Q, C). dx : (N, H, W, C)."""
    plane = dx.shape[1] * dx.shape[2]
    if indices.size and not 0 <= indices.min() <= indices.max() < plane:
        wrong = indices[(indices < 0) | (indices >= plane)][0]
        raise ValueError(f"adaptive_max_pool2d_backward: indices must be in [0, {plane}), got {wrong}")
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        add_at_places(dy[pieces[i]], indices[pieces[i]], dx[pieces[i]], step=1)

    _parallel.run(block, len(pieces), blas=False)

"""Adaptive max pooling on channels-last memory, bin by bin."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.adaptive_avg_pool2d import bins


@computed_in_float32("y")
def adaptive_max_pool2d_forward(x: np.ndarray, y: np.ndarray, indices: np.ndarray) -> None:
    """x : (N, H, W, C). y, indices : (N, P, Q, C)."""
    pieces = _windows.samples(x.shape)
    width = x.shape[2]

    def block(i: int) -> None:
        for p, q, rows, columns, size in bins(x.shape, y.shape):
            part = x[pieces[i], rows, columns]
            flat = part.reshape(len(part), size, part.shape[3])
            place = flat.argmax(axis=1)
            y[pieces[i], p, q] = np.take_along_axis(flat, place[:, None], axis=1)[:, 0]
            r, s = np.divmod(place, columns.stop - columns.start)
            indices[pieces[i], p, q] = (r + rows.start) * width + s + columns.start

    _parallel.run(block, len(pieces))


@computed_in_float32("dx")
def adaptive_max_pool2d_backward(dy: np.ndarray, indices: np.ndarray, dx: np.ndarray) -> None:
    """dy, indices : (N, P, Q, C). dx : (N, H, W, C)."""
    plane = dx.shape[1] * dx.shape[2]
    if indices.size and not 0 <= indices.min() <= indices.max() < plane:
        wrong = indices[(indices < 0) | (indices >= plane)][0]
        raise ValueError(f"adaptive_max_pool2d_backward: indices must be in [0, {plane}), got {wrong}")
    pieces = _windows.samples(dx.shape)
    flat = dx.reshape(len(dx), plane, dx.shape[3])
    channels = np.arange(dx.shape[3])

    def block(i: int) -> None:
        target = flat[pieces[i]]
        target[...] = 0
        rows = np.arange(len(target))[:, None]
        for p in range(dy.shape[1]):
            for q in range(dy.shape[2]):
                target[rows, indices[pieces[i], p, q], channels] += dy[pieces[i], p, q]

    _parallel.run(block, len(pieces))

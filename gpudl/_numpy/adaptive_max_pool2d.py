"""Adaptive max pooling on channels-last memory, as windows where the bins are equal, else bin by bin."""

from __future__ import annotations

import math

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _max_pool2d_tiles, _windows
from gpudl._numpy._elementwise import clear
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.adaptive_avg_pool2d import bins
from gpudl._numpy.max_pool2d import max_pool2d_forward, max_pool2d_indices


@computed_in_float32("y")
def adaptive_max_pool2d_forward(x: np.ndarray, y: np.ndarray, indices: np.ndarray) -> None:
    """x : (N, H, W, C). y, indices : (N, P, Q, C)."""
    height, width = x.shape[1:3]
    size = (height // y.shape[1], width // y.shape[2])
    if (size[0] * y.shape[1], size[1] * y.shape[2]) == (height, width) and math.prod(size) <= 1 << 16:
        _equal_bins(x, y, indices, size)
        return
    places = list(bins(x.shape, y.shape))
    form = _largest_of_few_channels if x.shape[3] < _max_pool2d_tiles.LEAST_CHANNELS else _largest

    def block(i: int) -> None:
        p, q, rows, columns, _ = places[i]
        number = form(x[:, rows, columns], y[:, p, q])
        r, s = np.divmod(number, columns.stop - columns.start)
        indices[:, p, q] = (r + rows.start) * width + s + columns.start

    _parallel.run(block, len(places) if y.size else 0, blas=False)


def _largest(part: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y (N, C) = the largest of a bin (N, h, w, C); returns its number in the bin, int64."""
    h, w = part.shape[1:3]
    numbers = np.empty(y.shape, np.uint8 if h * w <= 256 else np.int64)
    _max_pool2d_tiles.first_largest_of_tiles(part[:, None, :, None], y[:, None, None], numbers[:, None, None])
    return numbers.astype(np.int64)


def _largest_of_few_channels(part: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same by a copy with the channels first, where argmax runs along neighbours."""
    N, h, w, C = part.shape
    flat = part.transpose(0, 3, 1, 2).reshape(N * C, h * w)
    number = flat.argmax(axis=1)
    largest = flat[np.arange(len(flat)), number]
    missing = np.flatnonzero(np.isnan(largest))  # the last one, as in PyTorch
    number[missing] = h * w - 1 - np.isnan(flat[missing, ::-1]).argmax(axis=1)
    y[...] = largest.reshape(N, C)
    return number.reshape(N, C)


def _equal_bins(x: np.ndarray, y: np.ndarray, indices: np.ndarray, size: _windows.Pair) -> None:
    """Bins of one size are windows that lie side by side."""
    offsets = np.empty(y.shape, np.uint8 if math.prod(size) <= 256 else np.uint16)
    numbers = {"kernel_size": size, "stride": size, "padding": (0, 0), "dilation": (1, 1)}
    max_pool2d_forward(x, y, offsets, **numbers)
    max_pool2d_indices(offsets, indices, height=x.shape[1], width=x.shape[2], **numbers)


@computed_in_float32("dx")
def adaptive_max_pool2d_backward(dy: np.ndarray, indices: np.ndarray, dx: np.ndarray) -> None:
    """dy, indices : (N, P, Q, C). dx : (N, H, W, C)."""
    plane, channels = dx.shape[1] * dx.shape[2], dx.shape[3]
    if indices.size and not 0 <= indices.min() <= indices.max() < plane:
        wrong = indices[(indices < 0) | (indices >= plane)][0]
        raise ValueError(f"adaptive_max_pool2d_backward: indices must be in [0, {plane}), got {wrong}")
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        target = dx[pieces[i]]
        clear(target)
        place = indices[pieces[i]] * channels
        place += np.arange(channels)
        place += (np.arange(len(target)) * (plane * channels))[:, None, None, None]
        np.add.at(target.reshape(-1), place.reshape(-1), dy[pieces[i]].reshape(-1))

    _parallel.run(block, len(pieces), blas=False)

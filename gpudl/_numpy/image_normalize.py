"""Normalisation of images, in blocks that stay in cache from the cast of x to that of y."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._channels import Channels
from gpudl._numpy._images import groups, image_size, store

_BLOCK = 1 << 19  # bytes of computed values
_ALONE = (
    1 << 17
)  # elements that one thread does in 100 us, which is not much longer than a second one takes to wake


def image_normalize(
    x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray, *, planes: int
) -> None:
    """y = (x - mean) * factor, per channel, computed in the dtype of mean.

    y : (N, H, W, C). x : the same, or (N, C, H, W) with planes=1.
    """
    if planes:
        _planes(x, mean, factor, y.transpose(0, 3, 1, 2))
    else:
        _channels_last(x, mean, factor, y)


def _channels_last(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    source, target = (a.reshape(-1, len(mean)) for a in (x, y))
    channels = Channels(*source.shape, alone=_ALONE)
    means, factors = (channels.repeated(vector, mean.dtype) for vector in (mean, factor))

    def block(i: int) -> None:
        for rows, result in channels.wide(i, source, target):
            _normalize(rows, means[: rows.shape[1]], factors[: rows.shape[1]], result)

    channels.run(block, blas=False)


def _planes(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    pieces = groups(len(x), image_size(x) * mean.itemsize, _BLOCK)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        for c in range(len(mean)):
            _normalize(x[piece, c], mean[c], factor[c], y[piece, c])

    _parallel.run(block, len(pieces))


def _normalize(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    dense = y.dtype == mean.dtype and y.flags.c_contiguous
    values = y if dense else _parallel.scratch("image_normalize", x.shape, mean.dtype)
    values[...] = x
    values -= mean
    values *= factor
    if not dense:
        store(values, y)

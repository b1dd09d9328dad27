"""Normalisation of images, in blocks that stay in cache from the cast of x to that of y."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import groups, store

_BLOCK = 1 << 18  # bytes of computed values
_WIDE = 1 << 12  # values of a joined row: a row of 3 channels is too short for a loop


def image_normalize(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    """y = (x - mean) * factor, per channel, computed in the dtype of mean. x : C-contiguous or channels-last."""
    by_pixels = x.transpose(0, 2, 3, 1).flags.c_contiguous
    normalize = _pixels if by_pixels else _planes
    pieces = groups(len(x), x[0].size * mean.itemsize, _BLOCK)

    def block(i: int) -> None:
        with np.errstate(all="ignore"):  # inf - inf is NaN, and out of range is inf
            normalize(x[slice(*pieces[i])], mean, factor, y[slice(*pieces[i])])

    _parallel.run(block, len(pieces))


def _pixels(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    """Channels-last to channels-last: as many pixels as make a wide row at a time."""
    C = len(mean)
    source, target = (a.transpose(0, 2, 3, 1).reshape(-1) for a in (x, y))
    joined = C * max(1, min(_WIDE // C, source.size // C))
    means, factors = (np.tile(vector, joined // C) for vector in (mean, factor))
    whole = source.size // joined * joined
    for part, width in ((slice(0, whole), joined), (slice(whole, None), source.size - whole)):
        if width:
            rows = source[part].reshape(-1, width), target[part].reshape(-1, width)
            _normalize(*rows, means[:width], factors[:width])


def _planes(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    """C-contiguous to channels-last: a channel at a time."""
    for c in range(len(mean)):
        _normalize(x[:, c], y[:, c], mean[c], factor[c])


def _normalize(x: np.ndarray, y: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> None:
    dense = y.dtype == mean.dtype and y.flags.c_contiguous
    values = y if dense else _parallel.scratch("image_normalize", x.shape, mean.dtype)
    values[...] = x
    values -= mean
    values *= factor
    if not dense:
        store(values, y)

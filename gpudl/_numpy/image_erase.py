"""Erased rectangles of images."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import groups, image_size, pixels

_BLOCK = 1 << 19  # bytes of result


def image_erase(x: np.ndarray, edges: np.ndarray, value: np.ndarray, y: np.ndarray) -> None:
    """y = x, but value in rows edges[n, 0] .. edges[n, 1] of columns edges[n, 2] .. edges[n, 3].

    edges : (N, 4) int32 within the image. value : (C,) of the dtype of x.
    """
    source, target, color = pixels(x), pixels(y), pixels(value[None, :, None, None])[0, 0, 0]
    table = edges.tolist()
    pieces = groups(len(y), image_size(y) * y.itemsize, _BLOCK)

    def block(i: int) -> None:
        first, last = pieces[i]
        target[first:last] = source[first:last]
        for n in range(first, last):
            top, bottom, left, right = table[n]
            target[n, top:bottom, left:right] = color

    _parallel.run(block, len(pieces), blas=False)

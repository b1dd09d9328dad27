"""Padding of images: the edges filled with zeros or with values of the image."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import tiles
from gpudl._numpy._precision import computed_in_float32

_TILE = 1 << 20


def pad2d_forward(x: np.ndarray, y: np.ndarray, *, padding: tuple[int, int, int, int], mode: str) -> None:
    """y = x with (left, right, top, bottom) more columns and rows."""
    left, _, top, _ = padding
    images, result = x.transpose(0, 2, 3, 1), y.transpose(0, 2, 3, 1)
    N, H, W, C = images.shape
    rows, columns = _borders(H, result.shape[1], top, mode), _borders(W, result.shape[2], left, mode)
    pieces = tiles(N, 1, result.shape[1] * result.shape[2] * C * x.itemsize, _TILE)

    def block(i: int) -> None:
        source, target = images[pieces[i].n0 : pieces[i].n1], result[pieces[i].n0 : pieces[i].n1]
        middle = target[:, top : top + H]
        middle[:, :, left : left + W] = source
        for column, origin in columns:
            middle[:, :, column] = 0 if origin is None else source[:, :, origin]
        for row, origin in rows:
            target[:, row] = 0 if origin is None else middle[:, origin]

    _parallel.run(block, len(pieces), blas=False)


@computed_in_float32("dx")
def pad2d_backward(dy: np.ndarray, dx: np.ndarray, *, padding: tuple[int, int, int, int], mode: str) -> None:
    """dx = dy inside, plus what the borders that repeat a pixel add to it."""
    left, _, top, _ = padding
    gradient, result = dy.transpose(0, 2, 3, 1), dx.transpose(0, 2, 3, 1)
    N, H, W, C = result.shape
    rows, columns = _borders(H, gradient.shape[1], top, mode), _borders(W, gradient.shape[2], left, mode)
    width = gradient.shape[2]
    pieces = tiles(N, 1, H * width * C * dy.itemsize, _TILE)

    def block(i: int) -> None:
        source, target = gradient[pieces[i].n0 : pieces[i].n1], result[pieces[i].n0 : pieces[i].n1]
        middle = _parallel.scratch("pad_rows", (len(source), H, width, C), dy.dtype)
        middle[...] = source[:, top : top + H]
        for row, origin in rows:
            if origin is not None:
                middle[:, origin] += source[:, row]
        target[...] = middle[:, :, left : left + W]
        for column, origin in columns:
            if origin is not None:
                target[:, :, origin] += middle[:, :, column]

    _parallel.run(block, len(pieces), blas=False)


def _borders(extent: int, padded: int, before: int, mode: str) -> list[tuple[int, int | None]]:
    """(row of the padded axis, row of the image it repeats or None for zero), for all rows of the border."""
    origins = {
        "zeros": lambda i: None,
        "replicate": lambda i: min(max(i, 0), extent - 1),
        "reflect": lambda i: -i if i < 0 else 2 * (extent - 1) - i,
        "circular": lambda i: i % extent,
    }
    border = [*range(before), *range(before + extent, padded)]
    return [(row, origins[mode](row - before)) for row in border]

"""The gradient of the data with a stride: one product gives what every gradient adds to every pixel it saw.

dy @ weight is (pixels, R * S * C) with the weights as they lie in memory, a product of many columns, and nothing is
unfolded or padded. Each tap is then added to the pixels of dx it came from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import Pair, tiles

_TILE = 1 << 21  # bytes of products per block
_FEWEST_CHANNELS = 16  # the numbers that a sum finds together; with 8 it makes no difference
_LARGEST_FIELD = 4


def pays(outputs: Pair, filters: int, weight: np.ndarray, stride: Pair) -> bool:
    """Whether `backward_data` is faster than a convolution for each phase of the stride, and its scratch bounded.

    filters : of a group. Sums grow with the channels and unfolding dy with the filters; with windows of 5x5 and stride
    2 the sums take longer.
    """
    _, R, S, C = weight.shape
    return (
        stride != (1, 1)
        and max(R, S) <= _LARGEST_FIELD
        and _FEWEST_CHANNELS <= C <= filters
        and _image_bytes(outputs, weight) <= _TILE
    )


def _image_bytes(outputs: Pair, weight: np.ndarray) -> int:
    return outputs[0] * outputs[1] * weight[0].size * weight.itemsize


def backward_data(
    dy: np.ndarray, weight: np.ndarray, dx: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """dx (N, H, W, C) = the gradient of the input; weight (K, R, S, C)."""
    K, R, S, C = weight.shape
    N, P, Q, _ = dy.shape
    _, H, W, _ = dx.shape
    matrix = np.ascontiguousarray(weight).reshape(K, R * S * C)
    vertical = _axis(H, P, R, stride[0], padding[0], dilation[0])
    horizontal = _axis(W, Q, S, stride[1], padding[1], dilation[1])
    # A tile is made of whole images: rows of one image would meet at their edges.
    pieces = tiles(N, 1, _image_bytes((P, Q), weight), _TILE)

    def block(i: int) -> None:
        images = slice(pieces[i].n0, pieces[i].n1)
        gradient = dy[images].reshape(-1, K)
        products = _parallel.scratch("conv2d_columns", (len(gradient), R * S * C), dy.dtype)
        np.matmul(gradient, matrix, out=products)
        _add_taps(products.reshape(-1, P, Q, R, S, C), dx[images], vertical, horizontal)

    _parallel.run(block, len(pieces))


class _Axis(NamedTuple):
    """What the taps of one axis meet: rows of dx, rows of dy and the tap, or taps, of each."""

    covered: int  # rows of dx, from the first one on, that `joined` meets, each once
    joined: range  # as many taps as the stride, of which the first meets row 0 with row 0; none where rows are left over
    met: list[tuple[slice, slice]]  # of each tap: row p of dy meets row p * stride + offset of dx


def _axis(extent: int, outputs: int, field: int, stride: int, padding: int, dilation: int) -> _Axis:
    met = [_met(extent, outputs, r * dilation - padding, stride) for r in range(field)]
    fits = dilation == 1 and padding + stride <= field and outputs * stride <= extent
    joined = range(padding, padding + stride) if fits else range(0)
    return _Axis(outputs * stride if fits else 0, joined, met)


def _add_taps(taps: np.ndarray, dx: np.ndarray, vertical: _Axis, horizontal: _Axis) -> None:
    """dx (G, H, W, C) = the sum of taps (G, P, Q, R, S, C) that meet a pixel.

    Taps that meet neighbouring columns are one run of numbers, and those that are the first of a row are not added but
    written: (32, 32, 16, 16) -> 64 with 3x3 and stride 2 has 6 passes in place of 10.
    """
    (rows, first_rows, _), (columns, together, _) = vertical, horizontal
    if not (rows and columns):
        first_rows = together = range(0)
        rows = columns = 0
    dx[:, rows:] = 0
    dx[:, :rows, columns:] = 0
    alone = [s for s in range(taps.shape[4]) if s not in together]
    for r in sorted(range(taps.shape[3]), key=lambda r: r not in first_rows):
        to, ps = vertical.met[r]
        if together:
            seen = dx[:, to, :columns]
            seen = seen.reshape(*seen.shape[:2], -1, len(together), seen.shape[3])
            part = taps[:, ps, :, r, together.start : together.stop]
            if r in first_rows:
                seen[...] = part
            else:
                np.add(seen, part, out=seen)
    for r, (to, ps) in enumerate(vertical.met):
        for s in alone:
            across, qs = horizontal.met[s]
            seen = dx[:, to, across]
            np.add(seen, taps[:, ps, qs, r, s], out=seen)


def _met(extent: int, outputs: int, offset: int, stride: int) -> tuple[slice, slice]:
    """(rows of dx, rows of dy) that one tap connects: row p of dy with row p * stride + offset of dx."""
    start = max(0, -(offset // stride))
    stop = max(start, min(outputs, (extent - 1 - offset) // stride + 1))
    first = start * stride + offset
    return slice(first, max(first, (stop - 1) * stride + offset + 1), stride), slice(start, stop)

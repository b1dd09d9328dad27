"""The gradient of the data with a stride: one product gives what every gradient adds to every pixel it saw.

dy @ weight is (pixels, R * S * C) with the weights as they lie in memory, a product of many columns, and nothing is
unfolded or padded. Each tap is then added to the pixels of dx it came from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import Pair, tiles
from gpudl._numpy._products import multiply

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
        multiply(gradient, matrix, products)
        _add_taps(products.reshape(-1, P, Q, R, S, C), dx[images], vertical, horizontal)

    _parallel.run(block, len(pieces))


class _Axis(NamedTuple):
    """What the taps of one axis meet.

    joined : as many taps as the stride, of which the first meets row 0 of dx with row 0 of dy, so that together they
        meet each of the first `covered` rows of dx once; none where these would be more than dx has.
    met : rows of dx and rows of dy of each tap: row p of dy meets row p * stride + offset of dx.
    """

    joined: range
    covered: int
    met: list[tuple[slice, slice]]


def _axis(extent: int, outputs: int, field: int, stride: int, padding: int, dilation: int) -> _Axis:
    met = [_met(extent, outputs, r * dilation - padding, stride) for r in range(field)]
    if dilation == 1 and padding + stride <= field and outputs * stride <= extent:
        return _Axis(range(padding, padding + stride), outputs * stride, met)
    return _Axis(range(0), 0, met)


def _add_taps(taps: np.ndarray, dx: np.ndarray, vertical: _Axis, horizontal: _Axis) -> None:
    """dx (G, H, W, C) = the sum of taps (G, P, Q, R, S, C) that meet a pixel.

    Taps that meet neighbouring columns are one run of numbers, and those that are the first of a row are not added but
    written: (32, 32, 16, 16) -> 64 with 3x3 and stride 2 has 6 passes in place of 10.
    """
    together = horizontal.joined if vertical.joined else range(0)
    rows, columns = (vertical.covered, horizontal.covered) if together else (0, 0)
    dx[:, rows:] = 0
    dx[:, :rows, columns:] = 0
    if together:
        _add_together(taps[:, :, :, :, together.start : together.stop], dx[:, :, :columns], vertical)
    alone = [s for s in range(taps.shape[4]) if s not in together]
    for r, (to, ps) in enumerate(vertical.met):
        for s in alone:
            across, qs = horizontal.met[s]
            seen = dx[:, to, across]
            np.add(seen, taps[:, ps, qs, r, s], out=seen)


def _add_together(taps: np.ndarray, dx: np.ndarray, vertical: _Axis) -> None:
    """The taps (G, P, Q, R, s, C) that meet s neighbouring columns, all columns of dx (G, H, Q * s, C)."""
    _, _, Q, R, s, C = taps.shape
    pixels = dx.reshape(*dx.shape[:2], Q, s, C)
    for r in sorted(range(R), key=lambda r: r not in vertical.joined):
        to, ps = vertical.met[r]
        seen = pixels[:, to]
        if r in vertical.joined:
            seen[...] = taps[:, ps, :, r]
        else:
            np.add(seen, taps[:, ps, :, r], out=seen)


def _met(extent: int, outputs: int, offset: int, stride: int) -> tuple[slice, slice]:
    """(rows of dx, rows of dy) that one tap connects: row p of dy with row p * stride + offset of dx."""
    start = max(0, -(offset // stride))
    stop = max(start, min(outputs, (extent - 1 - offset) // stride + 1))
    first = start * stride + offset
    return slice(first, max(first, (stop - 1) * stride + offset + 1), stride), slice(start, stop)

"""The gradient of the data with a stride: one product gives what every gradient adds to every pixel it saw.

dy @ weight is (pixels, R * S * C) with the weights as they lie in memory, a product of many columns, and nothing is
unfolded or padded. Each tap is then added to the pixels of dx it came from.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import Pair, tiles

_TILE = 1 << 21  # bytes of products per block
_FEWEST_CHANNELS = 32  # the numbers that a sum finds together
_LARGEST_FIELD = 4


def pays(outputs: Pair, filters: int, weight: np.ndarray, stride: Pair) -> bool:
    """Whether `backward_data` is faster than a convolution for each phase of the stride, and its scratch bounded.

    filters : of a group. Sums grow with the channels and unfolding dy with the filters; with windows of 5x5 and stride
    2 the sums take longer.
    """
    _, R, S, C = weight.shape
    return (
        stride != (1, 1)
        and 1 < min(R, S) <= max(R, S) <= _LARGEST_FIELD
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
    vertical = [_met(H, P, r * dilation[0] - padding[0], stride[0]) for r in range(R)]
    horizontal = [_met(W, Q, s * dilation[1] - padding[1], stride[1]) for s in range(S)]
    # A tile is made of whole images: rows of one image would meet at their edges.
    pieces = tiles(N, 1, _image_bytes((P, Q), weight), _TILE)

    def block(i: int) -> None:
        images = slice(pieces[i].n0, pieces[i].n1)
        gradient = dy[images].reshape(-1, K)
        products = _parallel.scratch("conv2d_columns", (len(gradient), R * S * C), dy.dtype)
        np.matmul(gradient, matrix, out=products)
        taps = products.reshape(-1, P, Q, R, S, C)
        target = dx[images]
        target[...] = 0
        for r, (rows, ps) in enumerate(vertical):
            for s, (columns, qs) in enumerate(horizontal):
                seen = target[:, rows, columns]
                np.add(seen, taps[:, ps, qs, r, s], out=seen)

    _parallel.run(block, len(pieces))


def _met(extent: int, outputs: int, offset: int, stride: int) -> tuple[slice, slice]:
    """(rows of dx, rows of dy) that one tap connects: row p of dy with row p * stride + offset of dx."""
    start = max(0, -(offset // stride))
    stop = max(start, min(outputs, (extent - 1 - offset) // stride + 1))
    first = start * stride + offset
    return slice(first, max(first, (stop - 1) * stride + offset + 1), stride), slice(start, stop)

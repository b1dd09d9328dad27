"""Convolution with few input channels: each channel is a plane, and rows of pixels are the long runs.

With C = 1 or 3 the runs of an unfolded channels-last input are a few values; here they are Q values. The
gradient of the data adds the planes of `filters @ dy` back to where they were taken from.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import (
    Pair,
    Tile,
    add_product,
    bias_of_row,
    dense_destination,
    finish,
    padded_rows,
    strided,
    sum_partials,
    tiles,
)
from gpudl._numpy._elementwise import clear
from gpudl._numpy._products import multiply

_TILE = 1 << 21


def correlate(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """y = x correlated with filters, plus bias."""
    R, S, C, K = filters.shape
    N, P, Q, _ = y.shape
    matrix = np.ascontiguousarray(filters).reshape(R * S * C, K)
    row_bias = bias_of_row(bias, Q)
    pieces = tiles(N, P, Q * R * S * C * x.itemsize, _TILE)

    def block(i: int) -> None:
        tile = pieces[i]
        columns = _unfolded(x, tile, Q, (R, S), stride, padding, dilation)
        target = y[tile.n0 : tile.n1, tile.p0 : tile.p1]
        result, copied = dense_destination(target)
        multiply(columns.T, matrix, result.reshape(-1, K))
        finish(result, copied, row_bias, target)

    _parallel.run(block, len(pieces))


def _unfolded(
    x: np.ndarray, tile: Tile, Q: int, field: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """(RSC, pixels): for each filter tap and channel the plane of inputs it meets."""
    rows = padded_rows(x, tile, Q, field, stride, padding, dilation)
    G, height, width, C = rows.shape
    planes = _parallel.scratch("planar_input", (C, G, height, width), x.dtype)
    planes[...] = rows.transpose(3, 0, 1, 2)
    sc, sn, sh, sw = planes.strides
    windows = strided(
        planes,
        (*field, C, G, tile.p1 - tile.p0, Q),
        (dilation[0] * sh, dilation[1] * sw, sc, sn, stride[0] * sh, stride[1] * sw),
    )
    columns = _parallel.scratch("conv2d_columns", windows.shape, x.dtype)
    columns[...] = windows
    return columns.reshape(field[0] * field[1] * C, -1)


def backward_data(
    dy: np.ndarray, weight: np.ndarray, dx: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """dx (N, H, W, C) = the gradient of the input; weight (K, R, S, C)."""
    K, R, S, C = weight.shape
    N, P, Q, _ = dy.shape
    _, H, W, _ = dx.shape
    matrix = np.ascontiguousarray(weight.reshape(K, R * S * C).T)
    # A tile is made of whole images: rows of one image would meet at their edges.
    pieces = list(tiles(N, 1, P * Q * R * S * C * dy.itemsize, _TILE))
    height = max(H + padding[0], (P - 1) * stride[0] + dilation[0] * (R - 1) + 1)
    width = max(W + padding[1], (Q - 1) * stride[1] + dilation[1] * (S - 1) + 1)

    def block(i: int) -> None:
        images = slice(pieces[i].n0, pieces[i].n1)
        G = images.stop - images.start
        columns = _parallel.scratch("conv2d_columns", (R * S * C, G * P * Q), dy.dtype)
        np.matmul(matrix, np.ascontiguousarray(dy[images]).reshape(-1, K).T, out=columns)
        planes = _parallel.scratch("planar_input", (C, G, height, width), dy.dtype)
        clear(planes)
        taps = columns.reshape(R, S, C, G, P, Q)
        for r in range(R):
            for s in range(S):
                top, left = r * dilation[0], s * dilation[1]
                seen = planes[
                    :,
                    :,
                    top : top + (P - 1) * stride[0] + 1 : stride[0],
                    left : left + (Q - 1) * stride[1] + 1 : stride[1],
                ]
                np.add(seen, taps[r, s], out=seen)
        inside = planes[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]
        dx[images] = inside.transpose(1, 2, 3, 0)

    _parallel.run(block, len(pieces))


def backward_weight(
    dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """dweight (K, R, S, C) = the sum over pixels of dy[k] * x[window]."""
    K, R, S, C = dweight.shape
    N, P, Q, _ = dy.shape
    pieces = tiles(N, P, Q * R * S * C * x.itemsize, _TILE)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        tile = pieces[i]
        columns = _unfolded(x, tile, Q, (R, S), stride, padding, dilation)
        gradient = np.ascontiguousarray(dy[tile.n0 : tile.n1, tile.p0 : tile.p1])
        add_product(columns, gradient.reshape(-1, K), slot, first)

    total = sum_partials(len(pieces), (R * S * C, K), dweight.dtype, add)
    dweight[...] = total.T.reshape(dweight.shape)

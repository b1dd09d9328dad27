"""Convolution as a matrix product with a tile of unfolded input, any stride, padding and dilation.

Forward unfolds both axes of the window, 2 MiB at a time: with less, the interpreter's lock is passed on too
often, with more the tile leaves the cache. A window of one pixel is not unfolded where each row of outputs is worth a
product: with stride 2 that takes 0.8 of the time. The weight gradient unfolds the window's columns only; each of
its rows is then a shifted slice of the same memory, so that a tile holds R times as many pixels.
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
    filter_matrix,
    finish,
    padded_rows,
    strided,
    sum_partials,
    tiles,
)
from gpudl._numpy._products import multiply, worth_a_call

_FORWARD_TILE = 1 << 21
_WEIGHT_TILE = 1 << 22


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
    by_row = (R, S) == (1, 1) and stride != (1, 1) and worth_a_call(Q, C, K)
    matrix = np.ascontiguousarray(filters[0, 0]) if by_row else filter_matrix(filters)
    row_bias = bias_of_row(bias, Q)
    pieces = tiles(N, P, Q * R * S * C * x.itemsize, _FORWARD_TILE)

    def block(i: int) -> None:
        tile = pieces[i]
        rows = padded_rows(x, tile, Q, (R, S), stride, padding, dilation)
        target = y[tile.n0 : tile.n1, tile.p0 : tile.p1]
        result, copied = dense_destination(target)
        if by_row:
            np.matmul(rows[:, :: stride[0], :: stride[1]], matrix, out=result)
        else:
            columns = _unfolded(rows, tile, Q, (R, S), stride, dilation)
            multiply(columns, matrix, result.reshape(-1, K))
        finish(result, copied, row_bias, target)

    _parallel.run(block, len(pieces))


def _unfolded(rows: np.ndarray, tile: Tile, Q: int, field: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """(pixels, RSC): for each output pixel the inputs it sees; a view where a window is one pixel of dense rows."""
    G, m, C = tile.n1 - tile.n0, tile.p1 - tile.p0, rows.shape[3]
    (R, S), (sn, sh, sw, sc) = field, rows.strides
    if field == (1, 1):  # slices take a tenth of `strided` where rows are not dense
        windows = rows[:, :: stride[0], :: stride[1]]
    else:
        windows = strided(
            rows,
            (G, m, Q, R, S, C),
            (sn, stride[0] * sh, stride[1] * sw, dilation[0] * sh, dilation[1] * sw, sc),
        )
    if windows.flags.c_contiguous:
        return windows.reshape(G * m * Q, R * S * C)
    columns = _parallel.scratch("conv2d_columns", windows.shape, rows.dtype)
    columns[...] = windows
    return columns.reshape(G * m * Q, R * S * C)


def backward_weight(
    dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """dweight (K, R, S, C) = the sum over pixels of dy[k] * x[window]."""
    K, R, S, C = dweight.shape
    N, P, Q, _ = dy.shape
    unfolded_rows = 1 if R == 1 else stride[0]  # for each row of outputs
    pieces = tiles(N, P, Q * S * C * unfolded_rows * x.itemsize, _WEIGHT_TILE)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        tile = pieces[i]
        rows = padded_rows(x, tile, Q, (R, S), stride, padding, dilation)
        if R == 1:
            columns = _unfolded(rows, tile, Q, (R, S), stride, dilation)
            gradient = dy[tile.n0 : tile.n1, tile.p0 : tile.p1].reshape(-1, K).T
            add_product(gradient, columns, slot[0], first)
            return
        m = tile.p1 - tile.p0
        columns = _columns_unfolded(rows, Q, (R, S), stride, dilation)
        gradient = _rows_first(dy[tile.n0 : tile.n1, tile.p0 : tile.p1]).reshape(-1, K).T
        for r in range(R):
            start, phase = divmod(r * dilation[0], stride[0])
            add_product(gradient, columns[phase, start : start + m].reshape(-1, S * C), slot[r], first)

    total = sum_partials(len(pieces), (R, K, S * C), dweight.dtype, add)
    dweight[...] = total.reshape(R, K, S, C).transpose(1, 0, 2, 3)


def _columns_unfolded(rows: np.ndarray, Q: int, field: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """(stride, rows / stride, G, Q, S, C): the rows whose number is `phase` modulo the stride lie together.

    Phases that no row of the window meets are left undefined.
    """
    R, S = field
    G, height, _, C = rows.shape
    sn, sh, sw, sc = rows.strides
    columns = _parallel.scratch(
        "conv2d_columns", (stride[0], -(-height // stride[0]), G, Q, S, C), rows.dtype
    )
    for phase in {r * dilation[0] % stride[0] for r in range(R)}:
        count = -(-(height - phase) // stride[0])
        windows = strided(
            rows[:, phase:], (count, G, Q, S, C), (stride[0] * sh, sn, stride[1] * sw, dilation[1] * sw, sc)
        )
        columns[phase, :count] = windows
    return columns


def _rows_first(dy: np.ndarray) -> np.ndarray:
    """(G, m, Q, K) as a dense (m, G, Q, K), the order of the unfolded columns."""
    swapped = dy.transpose(1, 0, 2, 3)
    if swapped.flags.c_contiguous:
        return swapped
    gradient = _parallel.scratch("conv2d_gradient", swapped.shape, dy.dtype)
    gradient[...] = swapped
    return gradient

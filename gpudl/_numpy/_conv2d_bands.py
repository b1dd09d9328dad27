"""Convolution of few channels as products with banded matrices: several neighbouring outputs of a row in one.

A product with 6 filters leaves most of a BLAS kernel's columns idle, and an input of one channel is unfolded in runs
of a few numbers, R * S times its size. Here a row of the left matrix is the window that `q` neighbouring outputs see
together, and the right one holds the filters once for each of them, shifted. That multiplies zeros as well, but the
product has q times as many columns and the unfolded input is up to q times smaller. Channels are last, so the results
of a row, q * K of them, are where y has them. As 0 * NaN is NaN, one in x reaches all outputs of a window; Winograd's
forms do that too.
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

_TILE = 1 << 21  # bytes of unfolded input
# A block is about ten calls, and threads wait for the interpreter lock between calls: with 8 blocks they are so short
# that on two cores LeNet's layers took 1.1 to 1.3 times as long as with 4.
_MIN_BLOCKS = 4
# Columns of a product. BLAS runs at 0.7 of its full speed with 16, at 0.9 with 32, and what wider ones gain is less
# than their zeros cost: (128, 6, 14, 14) -> 16 took 0.8 of the time with 32 of that with 80.
_WIDEST = 48
# Filters by columns of dx, per column of the window, up to which the zeros of `backward_data` take less time than
# adding R * S planes does.
_LARGEST_ROW = 50


def outputs_together(Q: int, S: int, K: int) -> int:
    """q: a divisor of Q, so that windows fill a row; at most S, as beyond it more than half of the band is zero."""
    return max(q for q in range(1, S + 1) if Q % q == 0 and q * K <= max(K, _WIDEST))


def pays(Q: int, field: Pair, K: int) -> bool:
    """Whether `correlate` and `backward_weight` are faster than other forms."""
    return outputs_together(Q, field[1], K) > 1


def whole_rows_pay(S: int, K: int, width: int) -> bool:
    """Whether `backward_data` is faster than adding plane by plane; width : columns of dx."""
    return K * width <= _LARGEST_ROW * S


def correlate(
    x: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, y: np.ndarray, *, stride: Pair, padding: Pair
) -> None:
    """y = x correlated with filters (R, S, C, K), plus bias; dilation 1."""
    _, S, _, K = filters.shape
    N, P, Q, _ = y.shape
    q = outputs_together(Q, S, K)
    band = _band(filters, q, stride[1])
    row_bias = bias_of_row(bias, Q)
    pieces = tiles(N, P, Q // q * band[..., 0, 0].size * x.itemsize, _TILE, least=_MIN_BLOCKS)

    def block(i: int) -> None:
        tile = pieces[i]
        target = y[tile.n0 : tile.n1, tile.p0 : tile.p1]
        windows = _windows(x, tile, Q // q, band.shape[:2], stride, padding, q)
        result, copied = dense_destination(target)
        multiply(windows, band.reshape(-1, q * K), result.reshape(-1, q * K))
        finish(result, copied, row_bias, target)

    _parallel.run(block, len(pieces))


def _band(filters: np.ndarray, q: int, stride: int) -> np.ndarray:
    """(R, w, C, q, K): output j sees column s of its filter at column j * stride + s of the window."""
    R, S, C, K = filters.shape
    band = np.zeros((R, (q - 1) * stride + S, C, q, K), filters.dtype)
    for j in range(q):
        band[:, j * stride : j * stride + S, :, j] = filters
    return band


def _windows(
    x: np.ndarray, tile: Tile, count: int, window: Pair, stride: Pair, padding: Pair, q: int
) -> np.ndarray:
    """(windows, RwC): the inputs that q outputs see, `count` times in each row of outputs.

    First as strips of w columns, in which the R rows of a window follow one another: so both copies are of long runs.
    """
    (R, w), step = window, q * stride[1]
    rows = padded_rows(x, tile, count, window, (stride[0], step), padding, (1, 1))
    G, height, _, C = rows.shape
    if rows.strides[2] != C * rows.itemsize:  # a group of channels
        rows = np.ascontiguousarray(rows)
    sn, sh, sw, _ = rows.strides  # the last says nothing where there is one channel
    shape = (G, count, height, w * C)
    strips = _parallel.scratch("conv2d_strips", shape, x.dtype)
    _copy_runs(strips, strided(rows, shape, (sn, step * sw, sh, rows.itemsize)))
    sn, sb, sh, sc = strips.strides
    shape = (G, tile.p1 - tile.p0, count, R * w * C)
    windows = _parallel.scratch("conv2d_columns", shape, x.dtype)
    _copy_runs(windows, strided(strips, shape, (sn, stride[0] * sh, sb, sc)))
    return windows.reshape(-1, R * w * C)


def _copy_runs(target: np.ndarray, source: np.ndarray) -> None:
    """target[...] = source, whole runs of the last axis: of 8 numbers that took 0.4 of the time, of 40 numbers 0.6."""
    run = np.dtype((np.void, source.shape[-1] * source.itemsize))
    target.view(run)[...] = source.view(run)


def backward_weight(
    dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, stride: Pair, padding: Pair
) -> None:
    """dweight (K, R, S, C) = the sum over pixels of dy[k] * x[window]; dilation 1."""
    K, R, S, C = dweight.shape
    N, P, Q, _ = dy.shape
    q = outputs_together(Q, S, K)
    w = (q - 1) * stride[1] + S
    pieces = tiles(N, P, Q // q * R * w * C * x.itemsize, _TILE, least=_MIN_BLOCKS)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        tile = pieces[i]
        windows = _windows(x, tile, Q // q, (R, w), stride, padding, q)
        gradient = np.ascontiguousarray(dy[tile.n0 : tile.n1, tile.p0 : tile.p1])
        add_product(windows.T, gradient.reshape(-1, q * K), slot, first)

    total = sum_partials(len(pieces), (R * w * C, q * K), dweight.dtype, add).reshape(R, w, C, q, K)
    of_filters = total[:, :S, :, 0]
    for j in range(1, q):
        of_filters = of_filters + total[:, j * stride[1] : j * stride[1] + S, :, j]
    dweight[...] = of_filters.transpose(3, 0, 1, 2)


def backward_data(dy: np.ndarray, weight: np.ndarray, dx: np.ndarray, *, stride: Pair, padding: Pair) -> None:
    """dx (N, H, W, C) = the gradient of the input; weight (K, R, S, C), dilation 1.

    Here q is Q: windows of whole rows overlap in one direction only, so that R sums of long runs are enough.
    """
    K, R, S, C = weight.shape
    N, P, Q, _ = dy.shape
    _, H, W, _ = dx.shape
    band = _band(weight.transpose(1, 2, 3, 0), Q, stride[1])
    matrices = np.ascontiguousarray(band.reshape(R, -1, Q * K).swapaxes(1, 2))
    seen = matrices.shape[2]
    halves = [(slice(j0 * K, j1 * K), slice(w0 * C, w1 * C)) for j0, j1, w0, w1 in _halves(Q, S, stride[1])]
    height = max(H + padding[0], (P - 1) * stride[0] + R)
    width = max(W + padding[1], seen // C)
    pieces = tiles(N, 1, height * width * C * dy.itemsize, _TILE, least=_MIN_BLOCKS)

    def block(i: int) -> None:
        images = slice(pieces[i].n0, pieces[i].n1)
        gradient = np.ascontiguousarray(dy[images]).reshape(-1, Q * K)
        G = images.stop - images.start
        inputs = _parallel.scratch("conv2d_padded", (G, height, width * C), dy.dtype)
        clear(inputs)
        product = _parallel.scratch("conv2d_product", (R, len(gradient), seen), dy.dtype)
        for outputs, columns in halves:
            multiply(gradient[:, outputs], matrices[:, outputs, columns], product[:, :, columns])
        for r, taps in enumerate(product.reshape(R, G, P, seen)):
            rows = inputs[:, r : r + (P - 1) * stride[0] + 1 : stride[0], :seen]
            np.add(rows, taps, out=rows)
        inside = inputs.reshape(G, height, width, C)
        dx[images] = inside[:, padding[0] : padding[0] + H, padding[1] : padding[1] + W]

    _parallel.run(block, len(pieces))


def _halves(Q: int, S: int, stride: int) -> list[tuple[int, int, int, int]]:
    """(outputs j0 to j1, columns w0 to w1) of each half of the columns that a row of outputs sees.

    Each half leaves out the outputs that do not see it, which for LeNet's second layer are 0.3 of the products.
    """
    width = (Q - 1) * stride + S
    middle = width // 2
    return [
        (0, min(Q, -(-middle // stride)), 0, middle),
        (max(0, (middle - S) // stride + 1), Q, middle, width),
    ]

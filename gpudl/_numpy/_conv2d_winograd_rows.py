"""3x3 convolution of stride 1 by Winograd's F(2, 3) over rows: 4 products per 2 rows of outputs in place of 6.

Each 4 rows d of the input give 2 rows of outputs A^T [(G g) * (B^T d)], where * correlates along the row. It saves
less than the transform of both axes does, but costs a third of its additions, on runs of whole rows.

Nothing is unfolded: rows of pixels follow one another, with the zeros after one being those before the next, so
that the window of each pixel is 3C consecutive numbers. The windows that start at every third pixel lie end to end,
a matrix as they are; three products, each of one third of the windows, are the whole correlation.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import Pair, Tile, add_product, fill_padded, sum_partials, tiles
from gpudl._numpy._conv2d_winograd import (
    filter_transform,
    gradient_transform,
    input_transform,
    transposed_filter_transform,
)

_TILE = 1 << 20  # bytes of transformed input per block, about the size of a core's L2
_S = 3  # columns of the window


def correlate(
    x: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, y: np.ndarray, *, padding: Pair
) -> None:
    """y = x correlated with filters (3, 3, C, K), plus bias; stride and dilation 1."""
    C, K = filters.shape[2:]
    N, P, Q, _ = y.shape
    bank = filter_transform(np.ascontiguousarray(filters)).reshape(4, 1, _S * C, K)
    shared, _ = _zeros(x.shape[2], Q, padding[1])
    pitch = Q + _S - 1 - shared
    row_bias = None if bias is None else np.tile(bias, pitch)
    pieces = tiles(N, -(-P // 2), 4 * pitch * max(C, K) * x.itemsize, _TILE)

    def block(i: int) -> None:
        tile = pieces[i]
        G, h = tile.n1 - tile.n0, tile.p1 - tile.p0
        windows = _transformed_windows(x, tile, Q, padding)
        thirds = windows.shape[2]
        products = _parallel.scratch("winograd_products", (4, thirds * _S, K), x.dtype)
        np.matmul(windows, bank, out=products.reshape(4, thirds, _S, K).swapaxes(1, 2))
        m = products[:, : G * h * pitch].reshape(4, G, h, pitch * K)
        if bias is not None:
            np.add(m[1], row_bias, out=m[1])  # element 1 is part of either output
        images = y[tile.n0 : tile.n1, 2 * tile.p0 : 2 * tile.p1]
        _write_outputs(m.reshape(4, G, h, pitch, K)[:, :, :, :Q], images[:, ::2], images[:, 1::2])

    _parallel.run(block, len(pieces))


def _write_outputs(m: np.ndarray, even: np.ndarray, odd: np.ndarray) -> None:
    """A^T m, (m0 + m1 + m2, m1 - m2 - m3), into the even and the odd rows of y; the last odd row may be missing."""
    np.add(m[0], m[1], out=even)
    np.add(even, m[2], out=even)
    m = m[:, :, : odd.shape[1]]
    np.subtract(m[1], m[2], out=odd)
    np.subtract(odd, m[3], out=odd)


def _zeros(W: int, Q: int, left: int) -> tuple[int, int]:
    """(zeros that neighbouring rows share, zeros before the first row), in pixels."""
    before = max(0, left)
    after = max(0, Q + _S - 1 - left - W)
    return min(before, after, _S - 1), before


def _transformed_windows(x: np.ndarray, tile: Tile, Q: int, padding: Pair) -> np.ndarray:
    """B^T d for every two rows of outputs, as (4, S, windows / S, SC): [:, j, i] is the window of pixel S * i + j."""
    W, C = x.shape[2:]
    G, h = tile.n1 - tile.n0, tile.p1 - tile.p0
    shared, before = _zeros(W, Q, padding[1])
    pitch = Q + _S - 1 - shared
    rows = _parallel.scratch("conv2d_padded", (G, 2 * h + 2, pitch, C), x.dtype)
    seen = x[tile.n0 : tile.n1, :, : Q + _S - 1 - padding[1]]
    fill_padded(rows, seen, padding[0] - 2 * tile.p0, padding[1] - before)
    pixels = G * h * pitch
    thirds = -(-pixels // _S)
    V = _parallel.scratch("winograd_input", (4, max(thirds * _S + _S - 1, before + pixels), C), x.dtype)
    V[:, :before] = 0
    V[:, before + pixels :] = 0
    d, out = rows.reshape(G, 2 * h + 2, -1), V[:, before : before + pixels].reshape(4, G, h, -1)
    input_transform([d[:, k : k + 2 * h - 1 : 2] for k in range(4)], list(out))
    section, pixel, number = V.strides
    return as_strided(V, (4, _S, thirds, _S * C), (section, pixel, _S * pixel, number))


def backward_weight(dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, padding: Pair) -> None:
    """dweight (K, 3, 3, C) = G^T [sum over pairs of rows of (A dy) * (B^T d)]; stride and dilation 1."""
    K, _, _, C = dweight.shape
    N, P, Q, _ = dy.shape
    shared, _ = _zeros(x.shape[2], Q, padding[1])
    pitch = Q + _S - 1 - shared
    pieces = tiles(N, -(-P // 2), 4 * pitch * max(C, K) * x.itemsize, _TILE)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        windows = _transformed_windows(x, pieces[i], Q, padding)
        gradient = _transformed_gradient(dy, pieces[i], pitch, windows.shape[2])
        add_product(gradient, windows, slot, first)

    total = sum_partials(len(pieces), (4, _S, K, _S * C), dweight.dtype, add)
    rows = transposed_filter_transform(total.sum(axis=1))
    dweight[...] = rows.reshape(3, K, _S, C).transpose(1, 0, 2, 3)


def _transformed_gradient(dy: np.ndarray, tile: Tile, pitch: int, thirds: int) -> np.ndarray:
    """A dy of every two rows, as (4, S, K, windows / S), with the sign of the last row turned."""
    Q, K = dy.shape[2:]
    G, h = tile.n1 - tile.n0, tile.p1 - tile.p0
    pixels = G * h * pitch
    Z = _parallel.scratch("winograd_transformed", (4, thirds * _S, K), dy.dtype)
    Z[:, pixels:] = 0
    rows = Z[:, :pixels].reshape(4, G, h, pitch, K)
    rows[:, :, :, Q:] = 0
    images = dy[tile.n0 : tile.n1, 2 * tile.p0 : 2 * tile.p1]
    even, odd = images[:, ::2], images[:, 1::2]
    pairs = odd.shape[1]
    gradient_transform((even[:, :pairs], odd), rows[:, :, :pairs, :Q])
    if pairs < h:  # the last row has none below it
        rows[:3, :, pairs:, :Q] = even[:, pairs:]
        rows[3, :, pairs:, :Q] = 0
    return Z.reshape(4, thirds, _S, K).transpose(0, 2, 3, 1)

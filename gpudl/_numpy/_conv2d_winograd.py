"""3x3 convolution of stride 1 by Winograd's F(2x2, 3x3): 16 products per 2x2 outputs in place of 36.

Each 4x4 piece d of the input gives 2x2 outputs A^T [(G g G^T) * (B^T d B)] A; the elementwise product, summed over
channels, is 16 matrix products over all pieces. Odd extents compute a row or column more and drop it.
The transforms only add and halve, so that float32 loses less than a digit; larger pieces, F(4x4, 3x3), lose
two and are not used. Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
"""

from __future__ import annotations

import numpy as np

from gpudl import _memory, _parallel
from gpudl._numpy._conv2d_tiles import Pair, Tile, add_product, fill_padded, sum_partials, tiles

# Rows of a product: BLAS packs the filters anew for each, which with 64 rows takes as long as a third of the product.
# From 256 channels on, blocks of the size of a core's L2 took 1.2 to 1.4 times as long.
_ROWS = 512
_FILTERS = 1 << 15  # transformed by a block


def correlate(
    x: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, y: np.ndarray, *, padding: Pair
) -> None:
    """y = x correlated with filters (3, 3, C, K), plus bias; stride and dilation 1."""
    C, K = filters.shape[2:]
    N, P, Q, _ = y.shape
    th, tw = -(-P // 2), -(-Q // 2)
    bank = _transformed_filters(filters)
    pieces = _tiles(N, th, tw, max(C, K) * x.itemsize)

    def block(i: int) -> None:
        tile = pieces[i]
        V = _transformed_input(x, tile, tw, padding)
        products = _parallel.scratch("winograd_products", (16, V.shape[1], K), x.dtype)
        np.matmul(V, bank, out=products)
        if bias is not None:
            products[5] += bias  # the inverse transform adds element (1, 1) to each of the four outputs
        _write_outputs(products, tile, tw, y)

    _parallel.run(block, len(pieces))


def _tiles(N: int, th: int, tw: int, pixel_bytes: int) -> tuple[Tile, ...]:
    """Blocks of up to _ROWS pieces, and two of them even of a single image."""
    rows = min(_ROWS, -(-N * th // 2) * tw)
    return tiles(N, th, 16 * tw * pixel_bytes, 16 * rows * pixel_bytes, least=2)


_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def _transformed_filters(filters: np.ndarray) -> np.ndarray:
    """G g G^T for filters (3, 3, C, K), as (16, C, K) in their order in memory: turning them took as long as this."""
    if filters.strides[2] < filters.strides[3]:
        return _transformed_filters(filters.swapaxes(2, 3)).swapaxes(1, 2)
    C, K = filters.shape[2:]
    transform = np.kron(_G, _G).astype(filters.dtype)
    if filters.strides[0] < 0:  # turned around, as for the gradient of the input
        filters, transform = filters[::-1, ::-1], transform[:, ::-1]
    taps = filters.reshape(9, C, K).transpose(1, 0, 2)
    bank = _memory.empty((16, C, K), filters.dtype)
    pieces = _parallel.equal_ranges(C, max(1, _FILTERS // K))

    def block(i: int) -> None:
        rows = slice(*pieces[i])
        np.matmul(transform, taps[rows], out=bank[:, rows].transpose(1, 0, 2))

    _parallel.run(block, len(pieces))
    return bank


def _input_transform(d: list[np.ndarray], out: list[np.ndarray]) -> None:
    """B^T: (d0 - d2, d1 + d2, d2 - d1, d1 - d3)."""
    np.subtract(d[0], d[2], out=out[0])
    np.add(d[1], d[2], out=out[1])
    np.subtract(d[2], d[1], out=out[2])
    np.subtract(d[1], d[3], out=out[3])


def _transformed_input(x: np.ndarray, tile: Tile, tw: int, padding: Pair) -> np.ndarray:
    """B^T d B of every 4x4 piece, as (16, pieces, C). tile counts rows of pieces."""
    C = x.shape[3]
    G, th = tile.n1 - tile.n0, tile.p1 - tile.p0
    # Even and odd columns apart: a piece needs columns 2t .. 2t + 3, and so each is a dense run over t.
    columns = _parallel.scratch("winograd_columns", (2, G, 2 * th + 2, tw + 1, C), x.dtype)
    for j in range(2):
        first = (j - padding[1]) % 2  # the first column of x of this parity
        left = (first + padding[1] - j) // 2
        fill_padded(columns[j], x[tile.n0 : tile.n1, :, first::2], padding[0] - 2 * tile.p0, left)
    rows = _parallel.scratch("winograd_rows", (4, 2, G, th, tw + 1, C), x.dtype)
    _input_transform([columns[:, :, k : k + 2 * th - 1 : 2] for k in range(4)], list(rows))
    V = _parallel.scratch("winograd_input", (4, 4, G, th, tw, C), x.dtype)
    _input_transform(
        [rows[:, k % 2, :, :, k // 2 : k // 2 + tw] for k in range(4)], [V[:, k] for k in range(4)]
    )
    return V.reshape(16, G * th * tw, C)


def _write_outputs(products: np.ndarray, tile: Tile, tw: int, y: np.ndarray) -> None:
    """A^T m A of every piece, into its 2x2 pixels of y; A^T is (m0 + m1 + m2, m1 - m2 - m3)."""
    G, th, K = tile.n1 - tile.n0, tile.p1 - tile.p0, products.shape[2]
    m = products.reshape(4, 4, G, th, tw, K)
    halves = _parallel.scratch("winograd_halves", (2, 4, G, th, tw, K), y.dtype)
    _output_transform(m, halves)
    last = _parallel.scratch("winograd_last", (2, G, th, tw, K), y.dtype)
    images = y[tile.n0 : tile.n1, 2 * tile.p0 : 2 * tile.p1]
    for a in range(2):
        columns = halves[a]
        np.add(columns[0], columns[1], out=last[0])
        np.subtract(columns[1], columns[2], out=last[1])
        for b, third, combine in ((0, columns[2], np.add), (1, columns[3], np.subtract)):
            target = images[:, a::2, b::2]
            inside = np.s_[:, : target.shape[1], : target.shape[2]]
            combine(last[b][inside], third[inside], out=target)


def _output_transform(m: np.ndarray, out: np.ndarray) -> None:
    np.add(m[0], m[1], out=out[0])
    np.add(out[0], m[2], out=out[0])
    np.subtract(m[1], m[2], out=out[1])
    np.subtract(out[1], m[3], out=out[1])


def backward_weight(dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, padding: Pair) -> None:
    """dweight (K, 3, 3, C) = G^T [sum over pieces of (A dy A^T) * (B^T d B)] G; stride and dilation 1."""
    K, _, _, C = dweight.shape
    N, P, Q, _ = dy.shape
    th, tw = -(-P // 2), -(-Q // 2)
    pieces = _tiles(N, th, tw, max(C, K) * x.itemsize)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        tile = pieces[i]
        V = _transformed_input(x, tile, tw, padding)
        Z = _transformed_gradient(dy, tile, tw)
        add_product(Z.transpose(0, 2, 1), V, slot, first)

    total = sum_partials(len(pieces), (16, K, C), dweight.dtype, add).reshape(4, 4, K, C)
    rows = _transposed_filter_transform(total)
    dweight[...] = _transposed_filter_transform(rows.swapaxes(0, 1)).transpose(2, 1, 0, 3)


def _transformed_gradient(dy: np.ndarray, tile: Tile, tw: int) -> np.ndarray:
    """A dy A^T of every 2x2 piece, as (16, pieces, K), with the sign of the last row and column turned."""
    G, th, K = tile.n1 - tile.n0, tile.p1 - tile.p0, dy.shape[3]
    gradient = _parallel.scratch("winograd_gradient", (2, 2, G, th, tw, K), dy.dtype)
    images = dy[tile.n0 : tile.n1, 2 * tile.p0 : 2 * tile.p1]
    for a in range(2):
        for b in range(2):
            fill_padded(gradient[a, b], images[:, a::2, b::2], 0, 0)
    rows = _parallel.scratch("winograd_halves", (4, 2, G, th, tw, K), dy.dtype)
    _gradient_transform(gradient, rows)
    Z = _parallel.scratch("winograd_transformed", (4, 4, G, th, tw, K), dy.dtype)
    _gradient_transform(rows.swapaxes(0, 1), Z.swapaxes(0, 1))
    return Z.reshape(16, G * th * tw, K)


def _gradient_transform(d: np.ndarray, out: np.ndarray) -> None:
    """(d0, d0 + d1, d0 - d1, d1): A along the first axis but for the sign of its last row."""
    out[0] = d[0]
    np.add(d[0], d[1], out=out[1])
    np.subtract(d[0], d[1], out=out[2])
    out[3] = d[1]


def _transposed_filter_transform(u: np.ndarray) -> np.ndarray:
    """G^T along the first axis: (u0 + (u1 + u2) / 2, (u1 - u2) / 2, (u1 + u2) / 2 - u3), u3 with its sign turned."""
    half = u.dtype.type(0.5)
    result = np.empty((3, *u.shape[1:]), u.dtype)
    middle = (u[1] + u[2]) * half
    np.add(u[0], middle, out=result[0])
    np.multiply(u[1] - u[2], half, out=result[1])
    np.subtract(middle, u[3], out=result[2])
    return result

"""Convolution of stride 1 by Winograd's F(7 - R, R) over rows: 6 products per 7 - R rows of outputs.

Each 6 rows d of the input give m = 7 - R rows of outputs A^T [(G g) * (B^T d)], where * correlates along the row.
That is 1/2 of the products of a sum over taps with 3 or 4 rows of filters, 3/5 with 5. The transforms of input,
outputs and gradient are products with matrices of at most 6x6, by BLAS on whole rows of pixels: one call in place of
a dozen sums, and rows beyond the input are columns left out of the matrix, so that the input is not copied.

The points of interpolation are 0, 3/4, -3/4, 3/2, -3/2 and infinity: every element of A and B is exact in float32,
and for 3x3 the error is about half of that with the usual 0, 1, -1, 2, -2. Source: Lavin and Gray, "Fast algorithms
for convolutional neural networks", CVPR 2016.

Nothing is unfolded: rows of pixels follow one another, with the zeros after one being those before the next, so that
the window of each pixel is S * C consecutive numbers. The windows that start at every S-th pixel lie end to end, a
matrix as they are; S products, each of one S-th of the windows, are the whole correlation.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import (
    REMEMBERED,
    Pair,
    Tile,
    add_product,
    bias_of_row,
    dense_destination,
    finish,
    strided,
    sum_partials,
    tiles,
)
from gpudl._numpy._products import matmul, multiply

_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
_D = len(_POINTS) + 1  # rows of input in a piece
_TILE = 1 << 21  # bytes of transformed input per block
# Rows of a product, below which fewer blocks are made: BLAS packs the filters anew for each product.
_FEWEST_ROWS = 256
_FEWEST_BLOCKS, _BLOCKS = 2, 8


class _Transforms(NamedTuple):
    """The matrices of F(m, R)."""

    input: np.ndarray  # B^T (6, 6)
    filters: np.ndarray  # G (6, R)
    outputs: np.ndarray  # A^T (m, 6)


@functools.cache
def _transforms(R: int, dtype: np.dtype) -> _Transforms:
    """Toom and Cook's: values at the points, the last being infinity, of polynomials with filters as coefficients."""
    m = _D + 1 - R
    points = np.array(_POINTS)
    inputs = np.zeros((_D, _D))
    filters, outputs = np.zeros((_D, R)), np.zeros((m, _D))
    for i in range(len(points)):
        rest = np.delete(points, i)
        inputs[i, : _D - 1] = np.poly(rest)[::-1]
        filters[i] = points[i] ** np.arange(R) / np.prod(points[i] - rest)
        outputs[:, i] = points[i] ** np.arange(m)
    inputs[-1], filters[-1, -1], outputs[-1, -1] = np.poly(points)[::-1], 1, 1
    return _Transforms(inputs.astype(dtype), filters.astype(dtype), outputs.astype(dtype))


class _Row(NamedTuple):
    """How a row of the input lies in the transformed input, in pixels."""

    start: int  # columns [start, stop) of the input are seen
    stop: int
    before: int  # zeros before the first row
    pitch: int  # from one row to the next, zeros after it included

    def pixels(self, tile: Tile) -> int:
        G, h = tile.extents
        return G * h * self.pitch


@functools.lru_cache(maxsize=REMEMBERED)
def _row(W: int, Q: int, S: int, left: int) -> _Row:
    before, after = max(0, left), max(0, Q + S - 1 - left - W)
    start = max(0, -left)
    stop = max(start, min(W, Q + S - 1 - left))
    return _Row(start, stop, before, Q + S - 1 - min(before, after, S - 1))


def correlate(
    x: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, y: np.ndarray, *, padding: Pair
) -> None:
    """y = x correlated with filters (R, S, C, K), plus bias; 3 <= R <= 5, stride and dilation 1."""
    R, S, C, K = filters.shape
    N, P, Q, _ = y.shape
    transforms = _transforms(R, x.dtype)
    m = len(transforms.outputs)
    bank = np.empty((_D, 1, S * C, K), x.dtype)
    taps = np.ascontiguousarray(filters).reshape(R, S * C * K)
    matmul(transforms.filters, taps, out=bank.reshape(_D, S * C * K))
    row = _row(x.shape[2], Q, S, padding[1])
    row_bias = bias_of_row(bias, Q)
    height = -(-P // m)
    inputs = _input_pieces(x, height, row, padding[0], transforms)
    pieces = _tiles(N, height, row, S, max(C, K) * x.itemsize)

    def block(i: int) -> None:
        tile = pieces[i]
        windows = _transformed_windows(inputs, tile, row, S)
        parts = windows.shape[2]
        products = _parallel.scratch("winograd_products", (_D, parts * S, K), x.dtype)
        multiply(windows, bank, products.reshape(_D, parts, S, K).swapaxes(1, 2))
        target = y[tile.n0 : tile.n1, m * tile.p0 : m * tile.p1]
        result, copied = dense_destination(target)
        sections = products[:, : row.pixels(tile)].reshape(_D, *tile.extents, row.pitch * K)[..., : Q * K]
        for rows, pieces_of_rows in _by_piece(result.reshape(*target.shape[:2], Q * K), sections, m):
            np.matmul(transforms.outputs[: rows.shape[2]], pieces_of_rows, out=rows)
        finish(result, copied, row_bias, target)

    _parallel.run(block, len(pieces))


def _tiles(N: int, height: int, row: _Row, S: int, pixel_bytes: int) -> tuple[Tile, ...]:
    enough = N * height * row.pitch >= _BLOCKS * S * _FEWEST_ROWS
    row_bytes = _D * row.pitch * pixel_bytes
    return tiles(N, height, row_bytes, _TILE, least=_BLOCKS if enough else _FEWEST_BLOCKS)


def _by_piece(rows: np.ndarray, sections: np.ndarray, m: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """rows (G, r, L) beside sections (6, G, h, L): (G, n, m, L) with (G, n, 6, L), then what is left of m rows."""
    G, r, L = rows.shape
    whole = r // m
    sections = sections.transpose(1, 2, 0, 3)
    yield rows[:, : whole * m].reshape(G, whole, m, L), sections[:, :whole]
    if whole * m < r:
        yield rows[:, None, whole * m :], sections[:, whole:]


class _Pieces(NamedTuple):
    """Pieces first, first + 1, ... of every image, which see the same rows of theirs; the others are padding."""

    first: int
    matrix: np.ndarray  # the columns of B^T for these rows, (6, r)
    inputs: np.ndarray  # (N, pieces, r, W, C)


def _input_pieces(x: np.ndarray, count: int, row: _Row, top: int, transforms: _Transforms) -> list[_Pieces]:
    """`count` pieces of every image, by the rows they see."""
    N, H, _, C = x.shape
    m = len(transforms.outputs)
    sn, sh, sw, sc = x.strides
    found = []
    for first, pieces, a, b in _groups(count, m, top, H):
        shape, strides = (N, pieces, b - a, row.stop - row.start, C), (sn, m * sh, sh, sw, sc)
        inputs = strided(x, shape, strides, m * first - top + a, row.start)
        found.append(_Pieces(first, transforms.input[:, a:b], inputs))
    return found


@functools.lru_cache(maxsize=REMEMBERED)
def _groups(count: int, m: int, top: int, H: int) -> tuple[tuple[int, int, int, int], ...]:
    """(first, pieces, a, b): neighbouring pieces whose rows a to b of 6 are in the input, which has H rows."""
    starts = [m * i - top for i in range(count)]
    seen = [(min(max(-start, 0), _D), min(max(H - start, 0), _D)) for start in starts]
    found = []
    for (a, b), group in itertools.groupby(range(count), key=seen.__getitem__):
        pieces = list(group)
        found.append((pieces[0], len(pieces), a, max(a, b)))
    return tuple(found)


def _transformed_windows(pieces: list[_Pieces], tile: Tile, row: _Row, S: int) -> np.ndarray:
    """B^T d for the pieces of a tile, as (6, S, windows / S, SC): [:, j, i] is the window of pixel S * i + j."""
    _, _, _, W, C = pieces[0].inputs.shape
    pixels = row.pixels(tile)
    parts = -(-pixels // S)
    dtype = pieces[0].matrix.dtype
    V = _parallel.scratch("winograd_input", (_D, max(parts * S + S - 1, row.before + pixels), C), dtype)
    V[:, : row.before] = 0
    V[:, row.before + pixels :] = 0
    out = V[:, row.before : row.before + pixels].reshape(_D, *tile.extents, row.pitch * C)
    out[..., W * C :] = 0
    out = out[..., : W * C].transpose(1, 2, 0, 3)
    for first, matrix, inputs in pieces:
        start, stop = max(tile.p0, first), min(tile.p1, first + inputs.shape[1])
        if start < stop:
            d = inputs[tile.n0 : tile.n1, start - first : stop - first]
            d = d.reshape(*d.shape[:3], W * C)  # a copy where the pixels of a row do not follow one another
            np.matmul(matrix, d, out=out[:, start - tile.p0 : stop - tile.p0])
    section, pixel, number = V.strides
    return strided(V, (_D, S, parts, S * C), (section, pixel, S * pixel, number))


def backward_weight(dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, padding: Pair) -> None:
    """dweight (K, R, S, C) = G^T [sum over pieces of (A dy) * (B^T d)]; 3 <= R <= 5, stride and dilation 1."""
    K, R, S, C = dweight.shape
    N, P, Q, _ = dy.shape
    transforms = _transforms(R, x.dtype)
    row = _row(x.shape[2], Q, S, padding[1])
    m = len(transforms.outputs)
    height = -(-P // m)
    inputs = _input_pieces(x, height, row, padding[0], transforms)
    pieces = _tiles(N, height, row, S, max(C, K) * x.itemsize)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        windows = _transformed_windows(inputs, pieces[i], row, S)
        gradient = _transformed_gradient(dy, pieces[i], row, windows.shape[:3], transforms)
        add_product(gradient, windows, slot, first)

    total = sum_partials(len(pieces), (_D, S, K, S * C), dweight.dtype, add).sum(axis=1)
    rows = np.empty((R, K, S, C), dweight.dtype)
    matmul(transforms.filters.T, total.reshape(_D, K * S * C), out=rows.reshape(R, K * S * C))
    dweight[...] = rows.transpose(1, 0, 2, 3)


def _transformed_gradient(
    dy: np.ndarray, tile: Tile, row: _Row, shape: tuple[int, int, int], transforms: _Transforms
) -> np.ndarray:
    """A dy of every piece, as (6, S, K, windows / S), the columns of the last three as `windows` has its rows."""
    Q, K = dy.shape[2:]
    _, S, parts = shape
    m = len(transforms.outputs)
    Z = _parallel.scratch("winograd_transformed", (_D, parts * S, K), dy.dtype)
    pixels = row.pixels(tile)
    Z[:, pixels:] = 0
    sections = Z[:, :pixels].reshape(_D, *tile.extents, row.pitch * K)
    sections[..., Q * K :] = 0
    images = dy[tile.n0 : tile.n1, m * tile.p0 : m * tile.p1]
    images = images.reshape(
        *images.shape[:2], Q * K
    )  # a copy where the pixels of a row do not follow one another
    for rows, pieces in _by_piece(images, sections[..., : Q * K], m):
        np.matmul(transforms.outputs[: rows.shape[2]].T, rows, out=pieces)
    return Z.reshape(_D, parts, S, K).transpose(0, 2, 3, 1)

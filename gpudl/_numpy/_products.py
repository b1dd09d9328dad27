"""Matrix products in the pieces that BLAS is fastest at, by one thread and by several.

On processors with AVX-512 OpenBLAS multiplies up to 10^6 numbers (rows * inner * columns) where they lie; for more it
packs both matrices first, which takes as long as to multiply where an element is used for few results. In pieces of
that size products of up to 96 columns take 0.4 to 0.8 of the time. Its kernels for other processors pack in any case:
there the pieces would take up to 1.2 times as long.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel

# OpenBLAS's names of processors whose kernels do small products without packing.
_WITH_AVX512 = {"SkylakeX", "Cooperlake", "SapphireRapids"}
# The most numbers that are multiplied without packing; None where all products are packed.
_UNPACKED = 10**6 if _WITH_AVX512 & _parallel.blas_architectures() else None
_MOST_COLUMNS = 96  # with 128 it is the same time, with 256 longer
_SHORTEST = 12  # rows, or terms of a sum, of a piece
_MOST_SUMS = 1 << 12  # numbers of the result of `multiply_sums`; with 64 x 192 it is the same time
_FEWEST_PRODUCTS = 1 << 22  # for fewer, the five calls of `multiply_sums` take as long as they save
# Numbers multiplied by one of many calls of BLAS, each of which takes as long as 10^4.
_SMALLEST_CALL = 10**5
_MOST_COLUMNS_OF_A_CALL = 128  # with 256 packing pays


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a @ b, of (..., rows, inner) and (..., inner, columns)."""
    rows, columns = out.shape[-2:]
    if a.shape[-1] == 1:  # numpy.matmul takes 10 times as long, without BLAS
        np.multiply(a, b, out=out)
        return
    length = _piece(rows, a.shape[-1] * columns)
    if columns > _MOST_COLUMNS or length == rows:
        np.matmul(a, b, out=out)
        return
    middle = rows // length * length
    np.matmul(_rows_cut(a, length), b[..., None, :, :], out=_rows_cut(out, length))
    if middle < rows:
        np.matmul(a[..., middle:, :], b, out=out[..., middle:, :])


def multiply_sums(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a @ b, of (..., rows, inner) and (..., inner, columns), where the inner axis is the longest."""
    rows, columns = out.shape[-2:]
    inner = a.shape[-1]
    length = _piece(inner, rows * columns)
    if rows * columns > _MOST_SUMS or out.size * inner < _FEWEST_PRODUCTS or length == inner:
        np.matmul(a, b, out=out)
        return
    whole = inner // length
    middle = whole * length
    parts = _parallel.scratch("products", (*out.shape[:-2], -(-inner // length), rows, columns), out.dtype)
    columns_cut = a[..., :middle].reshape(*a.shape[:-1], whole, length).swapaxes(-2, -3)
    np.matmul(columns_cut, _rows_cut(b, length), out=parts[..., :whole, :, :])
    if middle < inner:
        np.matmul(a[..., middle:], b[..., middle:, :], out=parts[..., whole, :, :])
    np.add.reduce(parts, axis=-3, out=out)


def worth_a_call(rows: int, inner: int, columns: int) -> bool:
    """Whether BLAS does many products of these extents as fast as one of all their rows."""
    if _UNPACKED is None or columns > _MOST_COLUMNS_OF_A_CALL:
        return False
    return _SMALLEST_CALL <= rows * inner * columns <= _UNPACKED


def _piece(extent: int, products: int) -> int:
    """The length of the pieces of an axis with `products` for each element; the last may be shorter."""
    if _UNPACKED is None or extent * products <= _UNPACKED:
        return extent
    longest = _UNPACKED // products
    return extent if longest < _SHORTEST else -(-extent // -(-extent // longest))


def _rows_cut(a: np.ndarray, length: int) -> np.ndarray:
    """(..., rows, columns) as (..., pieces, length, columns), without the rows beyond whole pieces."""
    count = a.shape[-2] // length
    return a[..., : count * length, :].reshape(*a.shape[:-2], count, length, a.shape[-1])


# A product below this many multiply-adds is done before a second thread has started.
_SMALLEST_SHARED_PRODUCT = 1 << 23
_LONGEST_PIECE = 512


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """out = a @ b (+ bias to every row), cut along the longer side of `out` into pieces by shape alone."""
    (rows, inner), columns = a.shape, b.shape[1]
    by_rows = rows >= columns
    length = max(rows, columns)
    pieces = [(0, length)]
    if rows * inner * columns >= _SMALLEST_SHARED_PRODUCT:
        pieces = _parallel.ranges(length, min(_LONGEST_PIECE, -(-length // 32) * 16))  # whole tiles of 16

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        part = out[piece] if by_rows else out[:, piece]
        multiply(a[piece] if by_rows else a, b if by_rows else b[:, piece], part)
        if bias is not None:
            np.add(part, bias if by_rows else bias[piece], out=part)

    _parallel.run(block, len(pieces))
    return out

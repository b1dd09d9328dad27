"""Images at another size: rows are summed first, then columns as rows of the transposed result.

So both sums run over long contiguous rows.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import groups, store

_BLOCK = 1 << 18  # bytes of computed values


def image_resize(
    x: np.ndarray,
    row_first: np.ndarray,
    row_weights: np.ndarray,
    row_count: np.ndarray,
    column_first: np.ndarray,
    column_weights: np.ndarray,
    column_count: np.ndarray,
    y: np.ndarray,
) -> None:
    """y[n, :, p, q] = weighted sums of x[n] over rows, then over columns.

    Row p is the sum over t < row_count[n], in ascending order, of row_weights[n, p, t] * row row_first[n, p] + t;
    columns likewise. first : (N, P) int32. weights : (N, P, T) of the dtype computed in. count : (N,) int32.
    """
    _, C, P, Q = y.shape
    dtype = row_weights.dtype
    pieces = groups(len(y), y[0].size * dtype.itemsize, _BLOCK)

    def one(n: int) -> None:
        rows, columns = row_first[n], column_first[n]
        top, bottom = rows.min(), rows.max() + row_count[n]
        left, right = columns.min(), columns.max() + column_count[n]
        width = right - left
        box = _parallel.scratch("resize_box", (bottom - top, width, C), dtype)
        box[...] = x[n, :, top:bottom, left:right].transpose(1, 2, 0)
        box = box.reshape(bottom - top, width * C)
        short = _sums("resize_rows", box, rows - top, row_weights[n], row_count[n]).reshape(P, width, C)
        turned = _parallel.scratch("resize_turned", (width, C, P), dtype)
        for c in range(C):
            turned[:, c] = short[:, :, c].T
        turned = turned.reshape(width, C * P)
        made = _sums("resize_columns", turned, columns - left, column_weights[n], column_count[n])
        store(made.reshape(Q, C, P).transpose(1, 2, 0), y[n])

    def block(i: int) -> None:
        with np.errstate(all="ignore"):  # 0 * inf is NaN
            for n in range(*pieces[i]):
                one(n)

    _parallel.run(block, len(pieces))


def _sums(key: str, x: np.ndarray, first: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """The sum over t < count of weights[i, t] * x[first[i] + t] for each i, in scratch."""
    shape = (len(first), x.shape[1])
    made = _parallel.scratch(key, shape, x.dtype)
    term = _parallel.scratch("resize_term", shape, x.dtype)
    for t in range(count):
        target = term if t else made
        x.take(first + t, axis=0, out=target, mode="clip")
        target *= weights[:, t, None]
        if t:
            made += term
    return made

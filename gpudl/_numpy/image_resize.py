"""Images at another size: rows are summed first, then columns as rows of the transposed result.

So both sums run over long contiguous rows. Samples with as many taps go together.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import alike, round_pixels, run

_BLOCK = 1 << 19  # bytes of computed values


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
    largest = max(1, _BLOCK // (max(x[0].size, y[0].size) * dtype.itemsize))
    work = list(alike(np.stack([row_count, column_count], axis=1), largest))

    def block(i: int) -> None:
        (row_taps, column_taps), samples = work[i]
        rows, columns = row_first[samples], column_first[samples]
        top, bottom = rows.min(), rows.max() + row_taps
        left, right = columns.min(), columns.max() + column_taps
        G, height, width = len(samples), bottom - top, right - left
        images = np.arange(G)[:, None]
        box = _parallel.scratch("resize_box", (G, height, width, C), dtype)
        for j, n in enumerate(samples):
            box[j] = x[n, :, top:bottom, left:right].transpose(1, 2, 0)
        box = box.reshape(G * height, width * C)
        with np.errstate(all="ignore"):  # 0 * inf is NaN
            short = _sums("rows", box, rows - top + images * height, row_weights[samples], row_taps)
            short = short.reshape(G, P, width, C)
            turned = _parallel.scratch("resize_turned", (G, width, C, P), dtype)
            for c in range(C):
                turned[:, :, c] = short[..., c].transpose(0, 2, 1)
            turned = turned.reshape(G * width, C * P)
            places = columns - left + images * width
            made = _sums("columns", turned, places, column_weights[samples], column_taps)
            round_pixels(made, y.dtype)
            made = made.reshape(G, Q, C, P).transpose(0, 2, 3, 1)
            for j, n in enumerate(samples):
                y[n] = made[j]

    run(block, len(work), y.size)


def _sums(key: str, x: np.ndarray, first: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """The sum over t < count of weights[j, i, t] * x[first[j, i] + t] for each row (j, i), in scratch."""
    first, weights = first.reshape(-1), weights.reshape(first.size, -1)
    shape = (len(first), x.shape[1])
    made = _parallel.scratch(f"resize_{key}", shape, x.dtype)
    term = _parallel.scratch("resize_term", shape, x.dtype)
    for t in range(count):
        target = term if t else made
        x.take(first + t, axis=0, out=target, mode="clip")
        target *= weights[:, t, None]
        if t:
            made += term
    return made

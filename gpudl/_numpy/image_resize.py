"""Images at another size: rows are summed first, then columns as rows of the transposed result.

So both sums run over long contiguous rows. Samples with as many taps go together.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import alike, image_size, run

# Bytes of computed values. Beyond the second-level cache, and still the fastest: calls on two threads have to be long.
_BLOCK = 1 << 21
_MIN_BLOCKS = 4  # so that a batch that fits one block still occupies threads
# Values that one thread makes alone. Calls on fewer take turns at the interpreter lock.
_ALONE = 1 << 17


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
    N, C, P, Q = y.shape
    dtype = row_weights.dtype
    largest = max(1, _BLOCK // (max(image_size(x), image_size(y)) * dtype.itemsize))
    if y.size > _ALONE:
        largest = min(largest, -(-N // _MIN_BLOCKS))
    work = list(_alike(row_count, column_count, largest))

    def block(i: int) -> None:
        samples, row_taps, column_taps = work[i]
        rows, columns = row_first[samples], column_first[samples]
        top, bottom = rows.min(), rows.max() + row_taps
        left, right = columns.min(), columns.max() + column_taps
        G, height, width = len(rows), bottom - top, right - left
        box = _parallel.scratch("resize_box", (G, height, width, C), dtype)
        turned = _parallel.scratch("resize_turned", (G, width * C, P), dtype)
        for part, images in _images_of(samples):
            box[part] = x[images, :, top:bottom, left:right].transpose(0, 2, 3, 1)
        short = _sums("rows", box.reshape(G, height, -1), rows - top, row_weights[samples], row_taps)
        turned[...] = short.transpose(0, 2, 1)
        lines = turned.reshape(G, width, C * P)
        made = _sums("columns", lines, columns - left, column_weights[samples], column_taps)
        if y.dtype == np.uint8:  # no clip: the weights are those of a mean
            np.rint(made, out=made)
        made = made.reshape(G, Q, C, P).transpose(0, 2, 3, 1)
        for part, images in _images_of(samples):
            y[images] = made[part]

    run(block, len(work), y.size)


Samples = slice | np.ndarray


def _alike(
    row_count: np.ndarray, column_count: np.ndarray, largest: int
) -> Iterator[tuple[Samples, int, int]]:
    """Samples with as many taps of rows and of columns, at most `largest` together: (the samples, the two numbers)."""
    if (row_count == row_count[0]).all() and (column_count == column_count[0]).all():
        for start, stop in _parallel.ranges(len(row_count), largest):
            yield slice(start, stop), int(row_count[0]), int(column_count[0])
        return
    for taps, samples in alike(np.stack([row_count, column_count], axis=1), largest):
        yield samples, *taps


def _images_of(samples: Samples) -> Iterator[tuple[slice, slice]]:
    """(place in a block, samples): slices, one for all samples that follow one another, else one for each."""
    if isinstance(samples, slice):
        yield slice(None), samples
        return
    for j, n in enumerate(samples.tolist()):
        yield slice(j, j + 1), slice(n, n + 1)


def _sums(key: str, x: np.ndarray, first: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """(G, I, K): the sum over t < count of weights[g, i, t] * x[g, first[g, i] + t], in scratch. x : (G, lines, K)."""
    G, lines, K = x.shape
    x = x.reshape(G * lines, K)
    first = (first + lines * np.arange(G)[:, None]).reshape(-1)
    weights = weights.reshape(len(first), -1)
    made, term = (_parallel.scratch(f"resize_{name}", (len(first), K), x.dtype) for name in (key, "term"))
    for t in range(count):
        target = term if t else made
        x.take(first + t, axis=0, out=target, mode="clip")
        target *= weights[:, t, None]
        if t:
            made += term
    return made.reshape(G, -1, K)

"""Crops and flips of images: runs of rows and columns are copied whole, anything else is gathered."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._images import groups, image_size, pixels, run

_BLOCK = 1 << 19  # bytes of result


def image_crop(x: np.ndarray, rows: np.ndarray, columns: np.ndarray, fill: np.ndarray, y: np.ndarray) -> None:
    """y[n, :, p, q] = x[n, :, rows[n, p], columns[n, q]], or fill where one of the two is -1.

    rows : (N, P) int32. columns : (N, Q) int32. fill : (C,) of the dtype of x.
    """
    source, target, color = pixels(x), pixels(y), pixels(fill[None, :, None, None])[0, 0, 0]
    row_runs, column_runs = _runs(rows), _runs(columns)
    pieces = groups(len(y), image_size(y) * y.itemsize, _BLOCK)

    def block(i: int) -> None:
        for n in range(*pieces[i]):
            (p, r), (q, c) = row_runs[n], column_runs[n]
            if r is None or c is None:
                target[n] = source[n].take(rows[n], axis=0).take(columns[n], axis=1)
                continue
            inside = target[n, p, q]
            if inside.size < target[n].size:
                target[n, : p.start] = target[n, p.stop :] = color
                target[n, p, : q.start] = target[n, p, q.stop :] = color
            inside[...] = source[n, r, c]

    run(block, len(pieces), len(pieces) * image_size(y))  # a call works on one image


def _runs(sources: np.ndarray) -> list[tuple[slice, slice | None]]:
    """For each sample the places that show the image and the slice they show; None where that is no slice.

    Where there are places beyond the image (-1), they stand before and after one run of the others.
    """
    inside = sources >= 0
    first = inside.argmax(axis=1)
    count = inside.sum(axis=1)
    last = first + np.maximum(count, 1) - 1
    samples = np.arange(len(sources))
    begin, end = sources[samples, first], sources[samples, last]
    step = np.where(end >= begin, 1, -1)
    straight = ((np.diff(sources, axis=1) == step[:, None]) | ~(inside[:, 1:] & inside[:, :-1])).all(axis=1)
    table = np.stack([first, count, begin, end + step, step, straight], axis=1).tolist()
    return [
        (slice(at, at + many), slice(b, e if e >= 0 else None, s) if many else slice(0, 0))
        if is_straight
        else (slice(0, 0), None)
        for at, many, b, e, s, is_straight in table
    ]

"""One blocked pass over flat arrays, in blocks that stay in cache from the first line of an update to the last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import HALF_DTYPES

# Elements. Calls on two threads have to be long, as each waits for the interpreter lock between them: with 32768, which
# stay in the second-level cache, SGD took 2.3 times and Adam 1.6 times as long.
BLOCK = 1 << 18

# Pieces are (number of the segment, start, stop).
Piece = tuple[int, int, int]


def update_segments(
    update: Callable[..., None],
    segments: np.ndarray,
    grad: np.ndarray,
    written: tuple[np.ndarray | None, ...],
) -> None:
    """Call update(segment, grad, *written) on cache-sized slices of every segment with a row; None stays None.

    Half precision comes as float32 copies, and what is written is rounded back once.
    """
    units = _units(segments)

    def run_unit(i: int) -> None:
        for segment, start, stop in units[i]:
            piece = slice(start, stop)
            parts = [None if array is None else array[piece] for array in written]
            if grad.dtype in HALF_DTYPES:
                _update_half(update, segment, grad[piece], parts)
            else:
                update(segment, grad[piece], *parts)

    _parallel.run(run_unit, len(units), blas=False)


def _update_half(
    update: Callable[..., None], segment: int, grad: np.ndarray, parts: list[np.ndarray | None]
) -> None:
    wide = [None if part is None else _widened(f"segments {i}", part) for i, part in enumerate(parts)]
    update(segment, _widened("segments grad", grad), *wide)
    for part, values in zip(parts, wide, strict=True):
        if part is not None:
            part[...] = values


def _widened(key: str, part: np.ndarray) -> np.ndarray:
    wide = _parallel.scratch(key, part.shape, np.float32)
    wide[...] = part
    return wide


def _units(segments: np.ndarray) -> list[list[Piece]]:
    """Pieces of at most BLOCK elements; short ones are put together so that a unit is worth a thread's turn."""
    units: list[list[Piece]] = []
    filled = BLOCK
    for segment, (offset, length, row) in enumerate(segments.tolist()):
        if row < 0:
            continue
        for start in range(offset, offset + length, BLOCK):
            stop = min(offset + length, start + BLOCK)
            if filled + stop - start > BLOCK:
                units.append([])
                filled = 0
            units[-1].append((segment, start, stop))
            filled += stop - start
    return units

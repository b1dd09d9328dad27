"""One blocked pass over flat arrays, in blocks that stay in cache from the first line of an update to the last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import HALF_DTYPES

# Elements. Calls on two threads have to be long, as each waits for the interpreter lock between them: with 32768, which
# stay in the second-level cache, SGD took 2.3 times and Adam 1.6 times as long.
BLOCK = 1 << 18

# A span of the flat arrays: number of a segment that has its numbers, start, stop.
Piece = tuple[int, int, int]


def update_segments(
    update: Callable[..., None],
    segments: np.ndarray,
    steps: np.ndarray,
    grad: np.ndarray,
    written: tuple[np.ndarray | None, ...],
) -> None:
    """Call update(segment, grad, *written) on cache-sized slices of every segment with a row; None stays None.

    Neighbours of one row and count of steps are one slice, which has the number of the first. Half precision comes as
    float32 copies, and what is written is rounded back once.
    """
    units = _units(_joined(segments.tolist(), steps.tolist()))

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


def _joined(segments: list[list[int]], steps: list[int]) -> list[Piece]:
    """Spans of segments that lie side by side and take the same numbers."""
    spans: list[Piece] = []
    following = None  # what the next segment has where it continues the last span
    for number, ((offset, length, row), step) in enumerate(zip(segments, steps, strict=True)):
        if row < 0:
            continue
        if (offset, row, step) == following:
            first, start, _ = spans.pop()
            spans.append((first, start, offset + length))
        else:
            spans.append((number, offset, offset + length))
        following = (offset + length, row, step)
    return spans


def _units(spans: list[Piece]) -> list[list[Piece]]:
    """Pieces of at most BLOCK elements; short ones are put together so that a unit is worth a thread's turn."""
    units: list[list[Piece]] = []
    filled = BLOCK
    for segment, begin, end in spans:
        for start in range(begin, end, BLOCK):
            stop = min(end, start + BLOCK)
            if filled + stop - start > BLOCK:
                units.append([])
                filled = 0
            units[-1].append((segment, start, stop))
            filled += stop - start
    return units

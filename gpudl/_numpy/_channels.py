"""Per-channel vectors on (rows, C) memory: rows are joined so that inner loops are long, and cut into blocks.

A row of 16 channels is too short for a ufunc's inner loop, so as many rows as make about 8192 elements are seen
as one wide row, and the vector is repeated to its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gpudl import _parallel

_WIDE = 1 << 13  # elements of a joined row
# Elements of a block. Beyond the cache, and still the fastest: of two threads each waits for the interpreter lock
# between calls, and is woken late, so calls have to be long. Blocks of 131072 took 1.6 times as long.
_BLOCK = 1 << 19
# Elements that one thread does before a second one is awake: the passes of a normalisation over 32768 take 30 us.
_ALONE = 1 << 16


class Channels:
    """Blocks of a dense (rows, C), each as views of wide rows. Cut by the shape alone."""

    def __init__(self, rows: int, channels: int, alone: int = _ALONE):
        """alone : elements up to which all is one block."""
        self.channels = channels
        self._joined = max(1, min(rows, _WIDE // channels))
        longest, alone = (max(1, size // channels) for size in (_BLOCK, alone))
        self.blocks = _parallel.equal_ranges(rows, longest, alone=alone, multiple=self._joined)
        # To switch off BLAS's threads takes as long as the sums of one short block.
        self.by_blas = len(self.blocks) > 1

    def repeated(self, vector: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """A (C,) vector once for each row of a wide row."""
        wide = np.empty((self._joined, self.channels), dtype)
        wide[...] = vector
        return wide.reshape(-1)

    def wide(self, i: int, *arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """Block i of each array as (wide rows, width), and what is left of it as one shorter wide row."""
        start, stop = self.blocks[i]
        middle = start + (stop - start) // self._joined * self._joined
        if middle > start:
            shape = (-1, self._joined * self.channels)
            yield tuple(array[start:middle].reshape(shape) for array in arrays)
        if stop > middle:
            yield tuple(array[middle:stop].reshape(1, -1) for array in arrays)

    def count(self, i: int) -> int:
        """Rows of block i."""
        start, stop = self.blocks[i]
        return stop - start

    def sums(self, wide: np.ndarray) -> np.ndarray:
        """The sum of each column of wide rows."""
        return column_sums(wide) if self.by_blas else np.add.reduce(wide, axis=0)

    def fold(self, wide: np.ndarray) -> np.ndarray:
        """Sums per column of wide rows to sums per channel, in float64."""
        return np.add.reduce(wide.reshape(-1, self.channels), axis=0, dtype=np.float64)

    def run(self, block: Callable[[int], None], *, blas: bool) -> None:
        """block(i) for every block."""
        _parallel.run(block, len(self.blocks), blas=blas)


def column_sums(a: np.ndarray) -> np.ndarray:
    """The sum of each column of (rows, columns) by BLAS, in half the time of numpy.add.reduce."""
    return np.ones(len(a), a.dtype) @ a


def column_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """sum over rows of a * b, for each column."""
    return np.einsum("ij,ij->j", a, b)

"""What the image transforms share: views of channels-last memory, work cut by whole images, rounding to pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from gpudl import _parallel

_MIN_BLOCKS = 4  # so that a batch that fits one block still occupies threads
# Values. Calls on fewer take turns at the interpreter lock, and two threads are slower than one.
_SHORT = 1 << 16


def image_size(x: np.ndarray) -> int:
    """Elements of one image, 1 where it has none."""
    return max(1, math.prod(x.shape[1:]))


def groups(images: int, image_bytes: int, target: int) -> list[tuple[int, int]]:
    """Images cut into groups of about `target` bytes, several groups where there are as many images."""
    return _parallel.ranges(images, max(1, min(target // max(1, image_bytes), -(-images // _MIN_BLOCKS))))


def alike(keys: np.ndarray, largest: int) -> Iterator[tuple[list[int], np.ndarray]]:
    """Samples whose rows of `keys` (N, K) are equal, at most `largest` together: (the row, their numbers)."""
    largest = min(largest, -(-len(keys) // _MIN_BLOCKS))
    rows, which = np.unique(keys, axis=0, return_inverse=True)
    for k, row in enumerate(rows.tolist()):
        samples = np.flatnonzero(which.reshape(-1) == k)
        for start, stop in _parallel.ranges(len(samples), largest):
            yield row, samples[start:stop]


def run(block: Callable[[int], None], count: int, values: int) -> None:
    """block(i) for every i < count, in threads where the blocks' calls work on enough of all `values`."""
    if values < count * _SHORT:
        with np.errstate(all="ignore"):  # as `_parallel.run` has it
            for i in range(count):
                block(i)
    else:
        _parallel.run(block, count, blas=False)


def pixels(x: np.ndarray) -> np.ndarray:
    """Channels-last images (N, C, H, W) as (N, H, W), all channels of a pixel being one element."""
    memory = x.transpose(0, 2, 3, 1)
    return memory.view(np.dtype((np.void, memory.shape[3] * memory.itemsize)))[..., 0]


def round_pixels(values: np.ndarray, dtype: np.dtype) -> None:
    """In place: to the nearest of 0 to 255, halves to even, where the pixels are uint8. Others round when stored."""
    if dtype == np.uint8:
        np.rint(values, out=values)
        np.clip(values, 0, 255, out=values)


def store(values: np.ndarray, target: np.ndarray) -> None:
    """Computed values to pixels. Overwrites `values`."""
    round_pixels(values, target.dtype)
    target[...] = values

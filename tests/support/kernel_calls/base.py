"""Arrays for the calls of this folder, and how a file of it says what may move."""

import dataclasses
from collections.abc import Callable, Collection

import numpy as np

from tests.support.arrays import random_array


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a memory-bound kernel may move: each buffer once, at most 1.05 times its bytes, in `requests` requests a sector.

    calls : as in CALLS; the largest of them is measured.
    requests : dtype -> requests a sector; more than 1 needs its reason beside it.
    tables : small buffers of parameters, for which every warp asks again: L1 has them, so only their sectors are bounded.
    """

    calls: Callable
    requests: Callable = lambda dtype: 1
    tables: Collection[str] = ()


def aligned(array, offset=0):
    """A copy at a multiple of 64 bytes, or `offset` elements after one: vectors of 16 bytes fit, or do not."""
    memory = np.zeros(array.nbytes + 64 + offset * array.itemsize, np.uint8)
    start = -memory.ctypes.data % 64 + offset * array.itemsize
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def images(shape, dtype, seed=0, offset=0):
    """(N, C, H, W) whose memory is (N, H, W, C)."""
    N, C, H, W = shape
    return aligned(random_array((N, H, W, C), dtype, seed=seed), offset).transpose(0, 3, 1, 2)


def flat(n, dtype, seed=0, offset=0):
    return aligned(random_array((n,), dtype, seed=seed), offset)


# Lengths: none, one, less than a vector, tails, more than one block of the grid; one set off the 16-byte grid.
LENGTHS = [(0, 0), (1, 0), (3, 0), (33, 0), (4099, 0), (1030, 1)]


def elementwise_calls(inputs, **numbers):
    def calls(dtype):
        for n, offset in LENGTHS:
            arrays = [flat(n, dtype, seed, offset) for seed in range(inputs)]
            yield [*arrays, flat(n, dtype, 9, offset)], numbers

    return calls


def both(*makers):
    def calls(dtype):
        for maker in makers:
            yield from maker(dtype)

    return calls


def bits_of(arrays):
    return [
        bits
        for array in arrays
        if array is not None
        for bits in (bits_of(array) if isinstance(array, list) else [array.tobytes()])
    ]


def copied(argument):
    if isinstance(argument, list):
        return [copied(item) for item in argument]
    return None if argument is None else argument.copy(order="K")

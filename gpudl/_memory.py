"""Memory for results on the CPU: blocks are kept when an array dies and handed out again.

A fresh multi-megabyte block from the system costs a page fault every 4 KiB, which takes longer than a
ReLU over it. CuPy has a pool for the same reason; this one is for NumPy arrays.
"""

from __future__ import annotations

import contextlib
import functools
import math

import numpy as np

SMALLEST_POOLED = 1 << 16  # bytes; below, malloc reuses memory by itself
LARGEST_KEPT = 1 << 30  # bytes in all that may be kept when the system is asked for more
ALIGNMENT = 64  # bytes: one cache line, one AVX-512 vector

# Blocks that nobody uses, by size. A block may die at any moment, inside the garbage collector too, so nothing here
# takes a lock: a list's append and pop are atomic.
_free: dict[int, list[_Memory]] = {}


class _Memory(np.ndarray):
    """The bytes of one block, at an address that is a multiple of `ALIGNMENT`.

    A class of its own, since NumPy passes over a base of the view's class to that base's own.
    """


class _Block(np.ndarray):
    """The base of an array that was handed out, which dies with its last view. Its own base is the memory."""

    def __del__(self) -> None:
        memory = self.base
        _free[memory.size].append(memory)


@functools.lru_cache(maxsize=1024)
def _size_class(nbytes: int) -> int:
    """The next of eight sizes per power of two: at most an eighth of a block is wasted."""
    step = 1 << max(nbytes.bit_length() - 4, 12)
    return -(-nbytes // step) * step


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Like numpy.empty, C-contiguous; large results come from the pool, aligned to 64 bytes."""
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < SMALLEST_POOLED:
        return np.empty(shape, dtype)
    size = _size_class(nbytes)
    try:
        memory = _free[size].pop()
    except LookupError:
        memory = _from_system(size)
    return np.ndarray(shape, dtype, _Block(size, np.uint8, memory))


def _from_system(size: int) -> _Memory:
    _free.setdefault(size, [])
    if sum(each * len(blocks) for each, blocks in list(_free.items())) > LARGEST_KEPT:
        free_memory()
    memory = _Memory(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def free_memory() -> int:
    """Give the blocks kept for reuse back to the system; returns how many bytes that were."""
    freed = 0
    for size, blocks in list(_free.items()):
        with contextlib.suppress(IndexError):  # another thread may take the last one
            while True:
                blocks.pop()
                freed += size
    return freed

"""Memory for results on the CPU: blocks are kept when an array dies and handed out again.

A fresh multi-megabyte block from the system costs a page fault every 4 KiB, which takes longer than a
ReLU over it. CuPy has a pool for the same reason; this one is for NumPy arrays.
"""

from __future__ import annotations

import collections
import math
import threading
from typing import Any, NamedTuple

import numpy as np

SMALLEST_POOLED = 1 << 16  # bytes; below, malloc reuses memory by itself
LARGEST_KEPT = 1 << 30  # bytes kept for reuse in all; what dies beyond that goes back to the system
ALIGNMENT = 64  # bytes: one cache line, one AVX-512 vector


class _Memory(NamedTuple):
    """Bytes of the system, and where they are: to ask an array for its address takes as long as to make one."""

    data: np.ndarray
    address: int


_free: dict[int, list[_Memory]] = {}
_kept = 0
_lock = threading.Lock()
# A block may die inside the garbage collector while this thread holds _lock, so the finaliser only appends
# here (atomic, takes no lock) and the next `empty` puts the blocks in their lists.
_returned: collections.deque[_Memory] = collections.deque()


class _Block:
    """Owner of one block: NumPy holds it as the base of the array, so it dies with the last view."""

    __slots__ = ("__array_interface__", "_memory")

    def __init__(self, memory: _Memory, shape: tuple[int, ...], typestr: str):
        self._memory = memory
        self.__array_interface__: dict[str, Any] = {
            "version": 3, "shape": shape, "typestr": typestr, "data": (memory.address, False),
        }  # fmt: skip

    def __del__(self) -> None:
        _returned.append(self._memory)


def _size_class(nbytes: int) -> int:
    """The next of eight sizes per power of two: at most an eighth of a block is wasted."""
    step = 1 << max(nbytes.bit_length() - 4, 12)
    return -(-nbytes // step) * step


def _aligned_bytes(size: int) -> _Memory:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    address = memory.ctypes.data
    start = -address % ALIGNMENT
    return _Memory(memory[start : start + size], address + start)


def _collect() -> None:
    """Put returned blocks in their lists. Called with _lock held."""
    global _kept
    while _returned:
        memory = _returned.popleft()
        size = memory.data.size
        if _kept + size <= LARGEST_KEPT:
            _free.setdefault(size, []).append(memory)
            _kept += size


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Like numpy.empty, C-contiguous; large results come from the pool, aligned to 64 bytes."""
    global _kept
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < SMALLEST_POOLED:
        return np.empty(shape, dtype)
    size = _size_class(nbytes)
    with _lock:
        _collect()
        blocks = _free.get(size)
        memory = blocks.pop() if blocks else None
        if memory is not None:
            _kept -= size
    if memory is None:
        memory = _aligned_bytes(size)
    if dtype.kind == "V":  # bfloat16, whose type string says bytes only
        return np.asarray(_Block(memory, (nbytes,), "|u1")).view(dtype).reshape(shape)
    return np.asarray(_Block(memory, shape, dtype.str))


def free_memory() -> int:
    """Give the blocks kept for reuse back to the system; returns how many bytes that were."""
    global _kept
    with _lock:
        _collect()
        freed, _kept = _kept, 0
        _free.clear()
    return freed

"""What the convolution algorithms share: work cut by shape, padded copies, partial sums in fixed slots.

All arrays here are views with the channels last: x (N, H, W, C), filters (R, S, C, K), y (N, P, Q, K). Only the
channel axis must be dense, so a group of channels or every second row is as good an array as a whole one.
`padding` is (top, left), and may be negative, which drops rows or columns; what lies beyond the other two edges
is zero as far as y reaches, so an asymmetric padding needs no further numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gpudl import _memory, _parallel
from gpudl._numpy._elementwise import clear
from gpudl._numpy._products import multiply_sums

Pair = tuple[int, int]

# Bytes of scratch from which two threads share the work: waking one has a cost.
_SHARED = 1 << 19
# And those of a block where there are more than two. A block is about ten calls, and threads wait for the interpreter
# lock between calls: the weight gradient of (32, 32, 16, 16) -> 64 with stride 2 took 0.7 of the time with 2 blocks of
# that with 8.
_SMALLEST = 1 << 20
_MIN_BLOCKS = 8
# Bytes up to which clearing all of a padded copy takes less time than four calls that clear its edges.
_CLEARED_WHOLE = 1 << 17
_LARGEST_PARTIALS = 1 << 26  # bytes of partial sums of a weight gradient
REMEMBERED = 1024  # shapes whose tiles are kept: after a product Python's own code is out of the caches


class Tile(NamedTuple):
    """Rows [p0, p1) of the outputs of images [n0, n1)."""

    n0: int
    n1: int
    p0: int
    p1: int

    @property
    def extents(self) -> tuple[int, int]:
        """(images, rows of each)."""
        return self.n1 - self.n0, self.p1 - self.p0


@functools.lru_cache(maxsize=REMEMBERED)
def tiles(N: int, P: int, row_bytes: int, target: int, *, least: int = _MIN_BLOCKS) -> tuple[Tile, ...]:
    """Cut N images of P output rows into pieces of about `target` bytes of scratch: images, or rows of one.

    `least` : how many pieces there are where images and `target` allow it, so that all threads have some.
    """
    image_bytes = max(1, P * row_bytes)
    if image_bytes <= target:
        count = max(min(least, N * image_bytes // _SMALLEST), 2 if N * image_bytes >= _SHARED else 1)
        group = max(1, min(target // image_bytes, -(-N // count)))
        return tuple(Tile(n0, n1, 0, P) for n0, n1 in _parallel.equal_ranges(N, group))
    pieces = -(-image_bytes // target)
    rows = -(-P // min(P, pieces))
    return tuple(Tile(n, n + 1, p0, p1) for n in range(N) for p0, p1 in _parallel.ranges(P, rows))


def fill_padded(target: np.ndarray, x: np.ndarray, top: int, left: int) -> None:
    """target (G, Hp, Wp, C) = x (G, H, W, C) moved down by `top` and right by `left`, zero around it."""
    _, Hp, Wp, _ = target.shape
    _, H, W, _ = x.shape
    h0, h1 = max(0, top), min(Hp, top + H)
    w0, w1 = max(0, left), min(Wp, left + W)
    if h0 >= h1 or w0 >= w1:
        target[...] = 0
        return
    if target.nbytes <= _CLEARED_WHOLE and target.shape != x.shape:
        clear(target)
        target[:, h0:h1, w0:w1] = x[:, h0 - top : h1 - top, w0 - left : w1 - left]
        return
    target[:, :h0] = 0
    target[:, h1:] = 0
    target[:, h0:h1, :w0] = 0
    target[:, h0:h1, w1:] = 0
    target[:, h0:h1, w0:w1] = x[:, h0 - top : h1 - top, w0 - left : w1 - left]


def padded_rows(
    x: np.ndarray, tile: Tile, Q: int, field: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """The part of the padded input that a tile of the output sees: a view where x holds it all, else scratch."""
    height = (tile.p1 - tile.p0 - 1) * stride[0] + dilation[0] * (field[0] - 1) + 1
    width = (Q - 1) * stride[1] + dilation[1] * (field[1] - 1) + 1
    first = tile.p0 * stride[0] - padding[0]
    _, H, W, C = x.shape
    images = x[tile.n0 : tile.n1]
    if first >= 0 and first + height <= H and padding[1] <= 0 and width - padding[1] <= W:
        return images[:, first : first + height, -padding[1] : width - padding[1]]
    target = _parallel.scratch("conv2d_padded", (tile.n1 - tile.n0, height, width, C), x.dtype)
    fill_padded(target, images, -first, padding[1])
    return target


def strided(array: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], *start: int) -> np.ndarray:
    """numpy's as_strided of array[:, start[0]:, start[1]:], for reading; of dense memory at an eighth of its 9 us."""
    if array.flags.c_contiguous:
        offset = sum(first * stride for first, stride in zip(start, array.strides[1:], strict=False))
        return np.ndarray(shape, array.dtype, array, offset, strides)
    array = array[(slice(None), *(slice(first, None) for first in start))]
    return as_strided(array, shape, strides, writeable=False)


def dense_destination(y: np.ndarray) -> tuple[np.ndarray, bool]:
    """Where a matrix product may write what belongs into y: y itself, or scratch to be copied (True)."""
    if y.flags.c_contiguous:
        return y, False
    return _parallel.scratch("conv2d_result", y.shape, y.dtype), True


def bias_of_row(bias: np.ndarray | None, Q: int) -> np.ndarray | None:
    """The bias of a row of Q outputs, (QK,): added so, it takes a third to a half of the time of runs of K numbers."""
    return None if bias is None else np.tile(bias, Q)


def finish(result: np.ndarray, copied: bool, row_bias: np.ndarray | None, y: np.ndarray) -> None:
    """Add the bias to a dense block of outputs and copy it to its place; `dense_destination` gave the first two."""
    if row_bias is not None:
        rows = result.reshape(-1, len(row_bias))
        np.add(rows, row_bias, out=rows)
    if copied:
        y[...] = result


# A product with the filters as (RSC, K) runs faster than with their transpose while K is small; from here on
# packing them costs more than it gains.
_LARGEST_PACKED_K = 256


def filter_matrix(filters: np.ndarray) -> np.ndarray:
    """(R, S, C, K) as (RSC, K), copied once into the order the product reads where that pays."""
    R, S, C, K = filters.shape
    by_output = filters.transpose(3, 0, 1, 2)
    if K >= _LARGEST_PACKED_K and by_output.flags.c_contiguous:
        return by_output.reshape(K, R * S * C).T
    return np.ascontiguousarray(filters).reshape(R * S * C, K)


def sum_partials(
    count: int, shape: tuple[int, ...], dtype: np.dtype, add: Callable[[int, np.ndarray, bool], None]
) -> np.ndarray:
    """The sum over i < count of what add(i, slot, first) adds to its slot (or writes there, where first is True).

    Each slot is given a run of consecutive i, chosen by shape, and the slots are added in order.
    """
    slot_bytes = max(1, math.prod(shape) * dtype.itemsize)
    slots = max(1, min(count, _MIN_BLOCKS, _LARGEST_PARTIALS // slot_bytes))
    pieces = [(count * i // slots, count * (i + 1) // slots) for i in range(slots)]
    partials = _memory.empty((slots, *shape), dtype)

    def block(i: int) -> None:
        start, stop = pieces[i]
        for j in range(start, stop):
            add(j, partials[i], j == start)

    _parallel.run(block, len(pieces))
    for partial in partials[1:]:
        np.add(partials[0], partial, out=partials[0])
    return partials[0]


def add_product(a: np.ndarray, b: np.ndarray, slot: np.ndarray, first: bool) -> None:
    """slot = a @ b, or slot += a @ b."""
    if first:
        multiply_sums(a, b, slot)
        return
    product = _parallel.scratch("conv2d_product", slot.shape, slot.dtype)
    multiply_sums(a, b, product)
    np.add(slot, product, out=slot)

"""Calls of pooling."""

import numpy as np

from gpudl import _numpy
from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned

# kernel_size, stride, padding, dilation
WINDOWS = [
    ((2, 2), (2, 2), (0, 0), (1, 1)),
    ((3, 2), (1, 3), (1, 1), (1, 1)),
    ((2, 3), (3, 2), (1, 1), (5, 2)),
    ((17, 16), (2, 3), (8, 8), (1, 1)),
]
# (N, H, W, C) and an offset: one element a thread for small, odd and unaligned channels; more than one block.
SHAPES = [((0, 5, 4, 8), 0), ((2, 7, 6, 3), 0), ((1, 9, 10, 8), 0), ((1, 4, 5, 16), 1), ((2, 12, 13, 40), 0)]
NAMES = ("kernel_size", "stride", "padding", "dilation")
# Pixels of whole sectors, more than one block.
LARGE = (2, 16, 32, 16)


def extent(size, kernel, stride, padding, dilation):
    """With ceil_mode, so that the last windows reach beyond the padding."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    out = -(-span // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def sizes():
    """(shape of x, shape of y, offset, window) of every window that fits."""
    for shape, offset in SHAPES:
        for window in WINDOWS:
            out = [extent(size, *numbers) for size, *numbers in zip(shape[1:3], *window, strict=True)]
            if min(out) >= 1:
                yield shape, (shape[0], *out, shape[3]), offset, dict(zip(NAMES, window, strict=True))


def empty(shape, dtype, offset=0):
    return aligned(np.zeros(shape, dtype), offset)


def offset_dtype(numbers):
    return np.uint8 if np.prod(numbers["kernel_size"]) <= 256 else np.uint16


def max_forward(dtype):
    for x, y, offset, numbers in sizes():
        values = aligned(random_array(x, dtype), offset)
        yield [values, empty(y, dtype, offset), None], numbers
        yield [values, empty(y, dtype), empty(y, offset_dtype(numbers), offset)], numbers


def max_backward(dtype):
    for x, y, offset, numbers in sizes():
        offsets = empty(y, offset_dtype(numbers), offset)
        _numpy.max_pool2d_forward(random_array(x, np.float32), np.zeros(y, np.float32), offsets, **numbers)
        yield [aligned(random_array(y, dtype), offset), offsets, empty(x, dtype)], numbers


def max_indices(dtype):
    if dtype != np.float32:
        return
    for x, y, offset, numbers in sizes():
        offsets = aligned(np.random.default_rng(0).integers(0, 2, y).astype(offset_dtype(numbers)), offset)
        yield [offsets, empty(y, np.int64)], numbers | {"height": x[1], "width": x[2]}


def avg(forward):
    def calls(dtype):
        for x, y, offset, numbers in sizes():
            if numbers.pop("dilation") != (1, 1):
                continue
            for include, divisor in [(1, 0), (0, 0), (1, 7)]:
                given, made = (x, y) if forward else (y, x)
                arrays = [aligned(random_array(given, dtype), offset), empty(made, dtype)]
                yield arrays, numbers | {"count_include_pad": include, "divisor_override": divisor}

    return calls


def adaptive_sizes():
    for x, offset in SHAPES:
        for out in [(1, 1), (3, 2), (4, 7), (x[1], x[2])]:
            yield x, (x[0], *out, x[3]), offset


def adaptive_avg(forward):
    def calls(dtype):
        for x, y, offset in adaptive_sizes():
            given, made = (x, y) if forward else (y, x)
            yield [aligned(random_array(given, dtype), offset), empty(made, dtype)], {}

    return calls


def adaptive_max_forward(dtype):
    for x, y, offset in adaptive_sizes():
        yield [aligned(random_array(x, dtype), offset), empty(y, dtype), empty(y, np.int64, offset)], {}


def adaptive_max_backward(dtype):
    for x, y, offset in adaptive_sizes():
        indices = empty(y, np.int64, offset)
        _numpy.adaptive_max_pool2d_forward(random_array(x, np.float32), np.zeros(y, np.float32), indices)
        yield [aligned(random_array(y, dtype), offset), indices, empty(x, dtype)], {}


def global_avg(forward):
    """Also more channels than a block has lanes, and more pixels than one block takes."""

    def calls(dtype):
        for x, offset in [
            *SHAPES,
            ((2, 3, 5, 200), 0),
            ((1, 3, 5, 67), 0),
            ((1, 70, 71, 3), 0),
            ((2, 65, 64, 8), 0),
        ]:
            given, made = (x, (x[0], 1, 1, x[3]))[:: 1 if forward else -1]
            yield [aligned(random_array(given, dtype), offset), empty(made, dtype)], {}

    return calls


CALLS = {
    "max_pool2d_forward": max_forward,
    "max_pool2d_backward": max_backward,
    "max_pool2d_indices": max_indices,
    "avg_pool2d_forward": avg(True),
    "avg_pool2d_backward": avg(False),
    "adaptive_avg_pool2d_forward": adaptive_avg(True),
    "adaptive_avg_pool2d_backward": adaptive_avg(False),
    "adaptive_max_pool2d_forward": adaptive_max_forward,
    "adaptive_max_pool2d_backward": adaptive_max_backward,
    "global_avg_pool2d_forward": global_avg(True),
    "global_avg_pool2d_backward": global_avg(False),
}


def in_pairs(calls):
    """Windows or bins of two by two of LARGE."""

    def large(dtype):
        n, h, w, c = LARGE
        x, y = LARGE, (n, h // 2, w // 2, c)
        yield from calls(dtype, x, y, dict(zip(NAMES, WINDOWS[0], strict=True)))

    return large


def large_max_forward(dtype, x, y, numbers):
    yield [aligned(random_array(x, dtype)), empty(y, dtype), empty(y, np.uint8)], numbers


def large_max_backward(dtype, x, y, numbers):
    offsets = aligned(np.random.default_rng(0).integers(0, 4, y).astype(np.uint8))
    yield [aligned(random_array(y, dtype)), offsets, empty(x, dtype)], numbers


def large_max_indices(dtype, x, y, numbers):
    if dtype == np.float32:
        yield [empty(y, np.uint8), empty(y, np.int64)], numbers | {"height": x[1], "width": x[2]}


def large_avg(forward, *, bins):
    def calls(dtype, x, y, numbers):
        given, made = (x, y) if forward else (y, x)
        numbers = {name: pair for name, pair in numbers.items() if name != "dilation"}
        numbers |= {"count_include_pad": 1, "divisor_override": 0}
        yield [aligned(random_array(given, dtype)), empty(made, dtype)], {} if bins else numbers

    return calls


def large_adaptive_max_forward(dtype, x, y, numbers):
    yield [aligned(random_array(x, dtype)), empty(y, dtype), empty(y, np.int64)], {}


def large_adaptive_max_backward(dtype, x, y, numbers):
    yield [aligned(random_array(y, dtype)), empty(y, np.int64), empty(x, dtype)], {}


def rows_of_windows(dtype):
    """The two rows of elements of a window belong to different warps, and both ask for its gradient."""
    return 2


def indices_in_vectors(dtype):
    """The indices of a group are N vectors of two: each request asks for half of its sectors, the rest is in L1."""
    return 1 if dtype == np.float64 else 2


COSTS = {
    "max_pool2d_forward": Cost(in_pairs(large_max_forward)),
    "max_pool2d_backward": Cost(in_pairs(large_max_backward), rows_of_windows),
    "max_pool2d_indices": Cost(in_pairs(large_max_indices)),
    "avg_pool2d_forward": Cost(in_pairs(large_avg(True, bins=False))),
    "avg_pool2d_backward": Cost(in_pairs(large_avg(False, bins=False)), rows_of_windows),
    "adaptive_avg_pool2d_forward": Cost(in_pairs(large_avg(True, bins=True))),
    "adaptive_avg_pool2d_backward": Cost(in_pairs(large_avg(False, bins=True)), rows_of_windows),
    "adaptive_max_pool2d_forward": Cost(in_pairs(large_adaptive_max_forward), indices_in_vectors),
    "adaptive_max_pool2d_backward": Cost(
        in_pairs(large_adaptive_max_backward),
        lambda dtype: rows_of_windows(dtype) * indices_in_vectors(dtype),
    ),
    "global_avg_pool2d_forward": Cost(
        lambda dtype: iter([([aligned(random_array(LARGE, dtype)), empty((2, 1, 1, 16), dtype)], {})])
    ),
    "global_avg_pool2d_backward": Cost(
        lambda dtype: iter([([aligned(random_array((2, 1, 1, 16), dtype)), empty(LARGE, dtype)], {})]),
        tables=("dy",),  # one vector a sample
    ),
}

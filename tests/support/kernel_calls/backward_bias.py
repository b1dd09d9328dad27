"""Calls of the gradients of biases."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned, images

# Rows and channels: none, one, rows folded to a vector with a last one cut short, several tiles of channels, several
# blocks of rows, the loop that has four loads under way.
SHAPES = [(0, 5), (3, 0), (1, 1), (700, 1), (133, 10), (9000, 3), (5, 4096), (70, 264), (600, 130)]


def rows(dtype):
    for count, channels in SHAPES:
        for offset in (0, 1):
            dy = aligned(random_array((count, channels), dtype), offset)
            yield [dy, aligned(np.zeros(channels, dtype), offset)], {}


def pixels(dtype):
    for shape in [(2, 5, 3, 7), (0, 3, 2, 2), (3, 1, 1, 4), (1, 72, 9, 5)]:
        yield [images(shape, dtype), aligned(np.zeros(shape[1], dtype))], {}


def whole_sectors(dtype):
    """Rows that end on sectors; of others, neighbouring tiles share some."""
    yield [aligned(random_array((2048, 128), dtype)), aligned(np.zeros(128, dtype))], {}


CALLS = {
    "linear_backward_bias": rows,
    "conv2d_backward_bias": pixels,
    "conv_transpose2d_backward_bias": pixels,
}
COSTS = {"linear_backward_bias": Cost(whole_sectors)}
WITHOUT_COST = dict.fromkeys(
    ("conv2d_backward_bias", "conv_transpose2d_backward_bias"), "the launch is that of linear_backward_bias"
)

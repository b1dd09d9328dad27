"""Calls of the convolutions and the linear layer, whose kernels are tiles of 64 x 64 x 16 of a matrix product."""

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import aligned, images


def geometry(stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


# x, weight, y, numbers, offset of the memory in elements.
CONVOLUTIONS = [
    ((0, 3, 5, 5), (4, 3, 3, 3), (0, 4, 3, 3), geometry(), 0),
    ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1), geometry(), 0),
    # several tiles of pixels; fewer channels than a vector; phases that meet different taps
    ((2, 3, 7, 9), (5, 3, 3, 2), (2, 5, 4, 12), geometry((2, 1), (1, 2)), 0),
    # whole vectors; several tiles of filters and of pixels, and a tail of each
    ((2, 8, 5, 7), (72, 8, 3, 2), (2, 72, 5, 8), geometry(padding=(1, 1)), 0),
    # groups; phases without a tap, and taps that share a phase; padding that is longer than the image
    ((2, 16, 6, 5), (16, 8, 2, 3), (2, 16, 2, 4), geometry((3, 2), (1, 3), (3, 2), 2), 0),
    ((1, 6, 2, 1), (9, 2, 1, 3), (1, 9, 2, 11), geometry(padding=(0, 6), groups=3), 0),
    # single pixels: a plain matrix product, its pixels in several splits; the same off the 16-byte grid
    ((2, 8, 15, 18), (8, 8, 1, 1), (2, 8, 15, 18), geometry(), 0),
    ((3, 8, 5, 5), (8, 8, 1, 1), (3, 8, 5, 5), geometry(), 1),
    # windows in several splits
    ((3, 3, 12, 13), (4, 3, 2, 2), (3, 4, 12, 12), geometry(padding=(1, 0), dilation=(2, 1)), 0),
]  # fmt: skip


def convolution_calls(order, biased=None, cases=CONVOLUTIONS):
    """order : which of "x", "weight" and "y" are the operator's arrays; biased : whose channels the bias has."""

    def calls(dtype):
        for i, (x, weight, y, numbers, offset) in enumerate(cases):
            shapes = {"x": x, "weight": weight, "y": y}
            arrays = [images(shapes[role], dtype, seed, offset) for seed, role in enumerate(order)]
            if biased is not None:
                bias = aligned(random_array((shapes[biased][1],), dtype, 5)) if i % 2 else None
                arrays.insert(2, bias)
            yield arrays, numbers

    return calls


# Rows, inputs, outputs, offset: none of each, tails of every extent, whole vectors, splits, memory off the grid.
LINEAR = [
    (0, 5, 4, 0), (3, 0, 4, 0), (3, 5, 0, 0), (1, 1, 1, 0), (33, 31, 7, 0), (70, 24, 72, 0), (5, 8, 8, 1), (600, 8, 3, 0),
]  # fmt: skip


def linear_calls(order, biased=False):
    """order : which of the extents "N", "I" and "O" the operator's arrays have."""

    def calls(dtype):
        for i, (rows, inputs, outputs, offset) in enumerate(LINEAR):
            extents = {"N": rows, "I": inputs, "O": outputs}
            arrays = [
                aligned(random_array((extents[a], extents[b]), dtype, seed), offset)
                for seed, (a, b) in enumerate(order)
            ]
            if biased:
                arrays.insert(2, aligned(random_array((outputs,), dtype, 5)) if i % 2 else None)
            yield arrays, {}

    return calls


CALLS = {
    "conv2d_forward": convolution_calls(("x", "weight", "y"), "y"),
    "conv2d_backward_data": convolution_calls(("y", "weight", "x")),
    "conv2d_backward_weight": convolution_calls(("y", "x", "weight")),
    "conv_transpose2d_forward": convolution_calls(("y", "weight", "x"), "x"),
    "conv_transpose2d_backward_data": convolution_calls(("x", "weight", "y")),
    "conv_transpose2d_backward_weight": convolution_calls(("x", "y", "weight")),
    "linear_forward": linear_calls(("NI", "OI", "NO"), biased=True),
    "linear_backward_data": linear_calls(("NO", "OI", "NI")),
    "linear_backward_weight": linear_calls(("NO", "NI", "OI")),
}
WITHOUT_COST = dict.fromkeys(
    CALLS, "it is bound by its arithmetic: operands are read once for each tile that needs them"
)

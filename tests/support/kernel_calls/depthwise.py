"""Calls of the depthwise convolutions, which have kernels of their own."""

from tests.support.kernel_calls.matrix_products import convolution_calls, geometry

# x, weight, y, numbers, offset of the memory in elements.
SHAPES = [
    ((0, 8, 5, 5), (8, 1, 3, 3), (0, 8, 3, 3), geometry(groups=8), 0),
    # windows that slide, with and without a stride; a row of taps in two pieces; several tiles of channels
    ((2, 8, 5, 6), (8, 1, 3, 4), (2, 8, 5, 5), geometry(padding=(1, 1), groups=8), 0),
    ((1, 16, 5, 6), (16, 1, 3, 3), (1, 16, 3, 3), geometry((2, 2), (1, 1), groups=16), 0),
    ((1, 264, 2, 3), (264, 1, 2, 2), (1, 264, 3, 4), geometry(padding=(1, 1), groups=264), 0),
    # gathering: dilated, off the 16-byte grid, no whole vectors, two filters each
    ((1, 8, 5, 6), (8, 1, 2, 2), (1, 8, 4, 4), geometry(dilation=(1, 2), groups=8), 0),
    ((1, 8, 4, 5), (8, 1, 3, 3), (1, 8, 4, 5), geometry(padding=(1, 1), groups=8), 1),
    ((2, 3, 4, 5), (3, 1, 2, 2), (2, 3, 2, 2), geometry((2, 2), groups=3), 0),
    ((1, 8, 4, 3), (16, 1, 2, 2), (1, 16, 3, 2), geometry(groups=8), 0),
    # more taps than shared memory takes at a time
    ((1, 256, 2, 1), (256, 1, 8, 9), (1, 256, 3, 1), geometry(padding=(4, 4), groups=256), 0),
]  # fmt: skip

# What they cost: the kernels that matter, images of whole tiles.
MEASURED = [((2, 64, 16, 16), (64, 1, 3, 3), (2, 64, 16, 16), geometry(padding=(1, 1), groups=64), 0)]


ROLES = {
    "conv2d_forward": (("x", "weight", "y"), "y"),
    "conv2d_backward_data": (("y", "weight", "x"),),
    "conv2d_backward_weight": (("y", "x", "weight"),),
    "conv_transpose2d_forward": (("y", "weight", "x"), "x"),
    "conv_transpose2d_backward_data": (("x", "weight", "y"),),
    "conv_transpose2d_backward_weight": (("x", "y", "weight"),),
}
CALLS = {operator: convolution_calls(*roles, cases=SHAPES) for operator, roles in ROLES.items()}


def measured(operator):
    return convolution_calls(*ROLES[operator], cases=MEASURED)

"""Calls of the depthwise convolutions, which have kernels of their own."""

from tests.support.kernel_calls.base import Cost
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

# An image of whole tiles: each element in and out once.
MEASURED = [((1, 64, 16, 16), (64, 1, 3, 3), (1, 64, 16, 16), geometry(padding=(1, 1), groups=64), 0)]

ROLES = {
    "conv2d_forward": (("x", "weight", "y"), "y"),
    "conv2d_backward_data": (("y", "weight", "x"),),
    "conv2d_backward_weight": (("y", "x", "weight"),),
    "conv_transpose2d_forward": (("y", "weight", "x"), "x"),
    "conv_transpose2d_backward_data": (("x", "weight", "y"),),
    "conv_transpose2d_backward_weight": (("x", "y", "weight"),),
}
CALLS = {operator: convolution_calls(*roles, cases=SHAPES) for operator, roles in ROLES.items()}


# Requests a sector. A vector of x lies in the windows of 3 rows of pieces of 4 pixels and 2 more: 4.5 at most; the
# weights are staged by each of the 8 blocks, whose runs in memory start within sectors: 10.
# For their gradient a vector of x is asked for by each of 9 taps.
REQUESTS = {"conv2d_forward": 10, "conv2d_backward_data": 10, "conv2d_backward_weight": 9}
COSTS = {
    operator: Cost(convolution_calls(*ROLES[operator], cases=MEASURED), lambda dtype, most=most: most)
    for operator, most in REQUESTS.items()
}

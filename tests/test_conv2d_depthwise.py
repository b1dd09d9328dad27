"""Depthwise convolution: every path of its kernels in every direction, against loops."""

import functools

import numpy as np
import pytest

from gpudl import _backend, ops
from tests.support.arrays import random_array
from tests.support.kernel_calls.base import images
from tests.support.kernel_calls.matrix_products import geometry
from tests.support.kernels import require_simt
from tests.support.oracles import conv2d as oracle
from tests.support.tolerances import DTYPES, assert_close

# (N, C, H, W), (K, 1, R, S), numbers; named after what the kernels do forward, and backward to the data where it differs.
CASES = {
    "sliding": ((2, 16, 9, 11), (16, 1, 3, 3), {"padding": (1, 1)}),
    "sliding, stride; gathering": ((2, 24, 11, 10), (24, 1, 3, 3), {"stride": (2, 2), "padding": (1, 1)}),
    "sliding, rows apart": (
        (1, 8, 13, 9), (8, 1, 3, 5), {"stride": (3, 1), "dilation": (2, 1), "padding": (2, 1)},
    ),
    "sliding, 7 x 7": ((1, 8, 7, 8), (8, 1, 7, 7), {"padding": (3, 3)}),
    "sliding, tiles of channels": ((1, 264, 2, 3), (264, 1, 2, 2), {"padding": (1, 1)}),
    "sliding, one row": ((2, 8, 1, 37), (8, 1, 1, 4), {"padding": (0, 2)}),
    "sliding, mostly padding": ((2, 8, 2, 1), (8, 1, 2, 5), {"padding": (1, 7)}),
    "gathering, dilated": ((2, 16, 9, 10), (16, 1, 3, 3), {"dilation": (1, 2), "padding": (1, 2)}),
    "gathering, gaps": ((1, 8, 9, 10), (8, 1, 2, 2), {"stride": (4, 3), "dilation": (2, 3)}),
    "gathering, filters in slices": ((1, 256, 2, 1), (256, 1, 8, 9), {"padding": (4, 4)}),
    "gathering, single channels": ((3, 35, 6, 7), (35, 1, 4, 4), {"stride": (2, 1), "padding": (2, 1)}),
    "gathering, three filters each": ((2, 16, 6, 7), (48, 1, 3, 3), {"padding": (1, 1), "stride": (2, 1)}),
    "gathering, many filters each": ((1, 32, 4, 3), (32 * 50, 1, 3, 3), {"padding": (1, 1)}),
    "no images": ((0, 8, 5, 5), (8, 1, 3, 3), {}),
}  # fmt: skip


@functools.cache
def make_with_gradients(case, dtype):
    """Once for all executors, because loops take their time."""
    made = make(*CASES[case], dtype)
    x, weight, _, numbers, _, dy = made
    return *made, oracle.conv2d_gradients(x, weight, dy, **numbers)


def make(x_shape, weight_shape, numbers, dtype):
    numbers = numbers | {"groups": x_shape[1]}
    x, weight = random_array(x_shape, dtype, seed=1), random_array(weight_shape, dtype, seed=2)
    bias = random_array(weight_shape[:1], dtype, seed=3)
    y = oracle.conv2d_forward(x, weight, bias, **numbers)
    return x, weight, bias, numbers, y, random_array(y.shape, dtype, seed=4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_three_directions(executor, case, dtype):
    x, weight, bias, numbers, y, dy, (dx, dweight, _) = make_with_gradients(case, dtype)
    shapes = x.shape, weight.shape
    x, weight, bias, dy = (executor.array(a) for a in (x, weight, bias, dy))
    assert_close(executor.numpy(ops.conv2d_forward(x, weight, bias, **numbers)), y, dtype)
    assert_close(executor.numpy(ops.conv2d_backward_data(dy, weight, shapes[0], **numbers)), dx, dtype)
    assert_close(executor.numpy(ops.conv2d_backward_weight(dy, x, shapes[1], **numbers)), dweight, dtype)


@pytest.mark.parametrize("stride", [1, 2])
def test_transposed_adds_the_bias(executor, stride):
    x, weight = random_array((2, 8, 5, 6), seed=1), random_array((8, 1, 3, 3), seed=2)
    bias = random_array((8,), seed=3)
    numbers = {"stride": (stride, stride), "padding": (1, 1), "groups": 8}
    size = (2, 8, 4 * stride + 1, 5 * stride + 1)
    expected = oracle.conv2d_gradients(np.zeros(size), weight, x, **numbers)[0] + bias[:, None, None]
    y = ops.conv_transpose2d_forward(*(executor.array(a) for a in (x, weight, bias)), **numbers)
    assert_close(executor.numpy(y), expected)


@pytest.mark.parametrize(("images", "channels"), [(131_073, 4), (15_000, 2)], ids=["sliding", "gathering"])
@pytest.mark.slow
def test_blocks_that_take_several_rounds(executor, images, channels):
    extents = (2, 4) if channels == 4 else (3, 3)
    x, weight, bias, numbers, y, dy = make(
        (images, channels, *extents), (channels, 1, 3, 3), {"padding": (1, 1)}, np.float32
    )
    dx, _, _ = oracle.conv2d_gradients(x, weight, dy, **numbers)
    actual = ops.conv2d_forward(*(executor.array(a) for a in (x, weight, bias)), **numbers)
    assert_close(executor.numpy(actual), y, np.float32)
    actual = ops.conv2d_backward_data(executor.array(dy), executor.array(weight), x.shape, **numbers)
    assert_close(executor.numpy(actual), dx, np.float32)


@pytest.mark.parametrize("direction", ["forward", "backward_data", "backward_weight"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_memory_off_the_16_byte_grid_changes_no_bit(direction, stride):
    """It goes to other kernels, which add in the same order."""
    require_simt()
    x, weight, y = (2, 16, 9, 11), (16, 1, 3, 3), (2, 16, (8 // stride) + 1, (10 // stride) + 1)
    shapes = {
        "forward": (x, weight, y), "backward_data": (y, weight, x), "backward_weight": (y, x, weight),
    }[direction]  # fmt: skip
    results = set()
    for offset in (0, 1):
        arrays = [images(shape, np.float32, seed, offset) for seed, shape in enumerate(shapes)]
        if direction == "forward":
            arrays.insert(2, None)
        numbers = geometry((stride, stride), padding=(1, 1), groups=16)
        getattr(_backend._load("simt"), f"conv2d_{direction}")(*arrays, **numbers)
        results.add(arrays[-1].tobytes())
    assert len(results) == 1


def test_nan_and_inf_stay_in_their_channel_and_window(executor):
    x, weight, bias, numbers, _, _ = make((1, 8, 6, 7), (8, 1, 3, 3), {"padding": (1, 1)}, np.float32)
    x[0, 3, 2, 4], x[0, 5, 0, 0] = np.nan, np.inf
    expected = oracle.conv2d_forward(x, weight, bias, **numbers)
    y = executor.numpy(ops.conv2d_forward(*(executor.array(a) for a in (x, weight, bias)), **numbers))
    assert np.isnan(expected).sum() == 9
    assert_close(y, expected, np.float32)

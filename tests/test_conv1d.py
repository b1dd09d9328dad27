"""1-D convolution: the loops of conv2d over one row, in every direction."""

import numpy as np
import pytest

from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles import conv2d as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

CASES = {
    "one": ((1, 1, 1), (1, 1, 1), {}),
    "empty": ((0, 3, 7), (2, 3, 3), {}),
    "stride": ((3, 13, 31), (7, 13, 5), {"stride": 2, "padding": 3}),
    "dilation": ((2, 4, 33), (6, 2, 3), {"dilation": 4, "padding": 2, "groups": 2}),
    "depthwise": ((2, 5, 17), (5, 1, 4), {"groups": 5, "padding": 1}),
    "pointwise": ((2, 33, 32), (31, 33, 1), {}),
}


def rows(numbers):
    """The same numbers for images of one row."""
    two = {
        name: (1 if name != "padding" else 0, value) for name, value in numbers.items() if name != "groups"
    }
    return two | {"groups": numbers.get("groups", 1)}


def make(case, dtype=np.float64):
    x_shape, weight_shape, numbers = CASES[case]
    x, weight = random_array(x_shape, dtype, seed=1), random_array(weight_shape, dtype, seed=2)
    bias = random_array(weight_shape[:1], dtype, seed=3)
    y = oracle.conv2d_forward(x[:, :, None], weight[:, :, None], bias, **rows(numbers))[:, :, 0]
    return x, weight, bias, numbers, y, random_array(y.shape, dtype, seed=4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_every_direction(executor, case, dtype):
    x, weight, bias, numbers, expected, dy = make(case, dtype)
    dx, dweight, dbias = oracle.conv2d_gradients(
        x[:, :, None], weight[:, :, None], dy[:, :, None], **rows(numbers)
    )
    x, weight, bias, dy = (executor.array(a) for a in (x, weight, bias, dy))
    pairs = (
        (ops.conv1d_forward(x, weight, bias, **numbers), expected),
        (ops.conv1d_backward_data(dy, weight, x.shape, **numbers), dx[:, :, 0]),
        (ops.conv1d_backward_weight(dy, x, weight.shape, **numbers), dweight[:, :, 0]),
        (ops.conv1d_backward_bias(dy), dbias),
    )
    for actual, wanted in pairs:
        assert actual.dtype == dtype
        assert_close(executor.numpy(actual), wanted)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "shape", [(5, 3, 7), (1, 3, 7), (5, 1, 7), (5, 3, 1), (0, 3, 7), (2, 3, 25000)], ids=str
)
def test_bias_of_any_memory_layout(executor, shape, layout, dtype):
    dy = executor.array(with_layout(random_array(shape, dtype, seed=5), layout))
    with unmodified(dy):
        dbias = ops.conv1d_backward_bias(dy)
    assert dbias.dtype == dtype
    assert_close(executor.numpy(dbias), executor.numpy(dy).astype(np.float64).sum(axis=(0, 2)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, layout):
    x, weight, bias, numbers, *_ = make("stride")
    x, weight, bias = (executor.array(with_layout(a, layout)) for a in (x, weight, bias))
    with unmodified(x, weight, bias):
        y = ops.conv1d_forward(x, weight, bias, **numbers)
    x, weight, bias = (executor.numpy(a) for a in (x, weight, bias))
    expected = oracle.conv2d_forward(x[:, :, None], weight[:, :, None], bias, **rows(numbers))
    assert_close(executor.numpy(y), expected[:, :, 0])


def test_unbatched_and_out():
    x, weight, bias, numbers, expected, _ = make("stride")
    out = np.zeros(expected.shape[1:])
    assert ops.conv1d_forward(x[1], weight, bias, out=out, **numbers) is out
    assert_close(out, expected[1])


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [3, "same", "valid"])
def test_layer(executor, mode, padding):
    layer = nn.Conv1d(4, 6, 4, 1, padding, 2, 2, padding_mode=mode, dtype=np.float64)
    before, after = {3: (3, 3), "same": (3, 3), "valid": (0, 0)}[padding]  # (4 - 1) * 2 = 6 in all
    numpy_mode = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]

    def expected(values):
        padded = np.pad(values, ((0, 0), (0, 0), (before, after)), mode=numpy_mode)[:, :, None]
        weight, bias = executor.numpy(layer.weight.data)[:, :, None], executor.numpy(layer.bias.data)
        return oracle.conv2d_forward(padded, weight, bias, dilation=(1, 2), groups=2)[:, :, 0]

    x = random_array((2, 4, 9))
    y = layer(executor.array(x))
    assert_close(executor.numpy(y), expected(x))
    dy = random_array(y.shape, seed=1)
    dx = layer.backward(executor.array(dy))
    assert_close(executor.numpy(dx), numerical_gradient(expected, x, dy), tolerance=FINITE_DIFFERENCE)
    assert layer.weight.grad.shape == (6, 2, 4)


X, W = np.ones((2, 4, 5), np.float32), np.ones((6, 4, 3), np.float32)


@bad_calls(
    ("rank", lambda: ops.conv1d_forward(X[0, 0], W), ValueError, "conv1d_forward: x must have shape (N, C, L) or (C, L)"),
    ("weight rank", lambda: ops.conv1d_forward(X, W[..., None]), ValueError, "weight must have shape (K, C, S)"),
    ("channels", lambda: ops.conv1d_forward(X[:, :2], W), ValueError, "x has 2"),
    ("stride pair", lambda: ops.conv1d_forward(X, W, stride=(1, 2)), ValueError, "stride must be an int or 1 ints"),
    ("too short", lambda: ops.conv1d_forward(X[..., :2], W), ValueError, "more than the padded input (2,)"),
    ("dy", lambda: ops.conv1d_backward_data(X, W, (2, 4, 7)), ValueError, "dy must have shape (2, 6, 5)"),
    ("list", lambda: ops.conv1d_backward_weight([1.0], X, (6, 4, 3)), TypeError, "dy must be a NumPy or CuPy array"),
    ("layer", lambda: nn.Conv1d(4, 6, 0), ValueError, "Conv1d: kernel_size must be at least 1, got 0"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

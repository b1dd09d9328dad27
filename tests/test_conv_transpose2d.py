"""Transposed convolution: against loops that paint, gradients against finite differences."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles import conv_transpose2d as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

CASES = {
    "one": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "empty": ((0, 3, 4, 4), (3, 2, 3, 3), {}),
    "plain": ((2, 13, 5, 4), (13, 7, 3, 2), {"padding": (1, 0)}),
    "stride": ((2, 5, 4, 3), (5, 6, 4, 3), {"stride": (2, 3), "padding": (1, 2), "output_padding": (1, 2)}),
    "gaps": ((2, 4, 3, 4), (4, 3, 2, 1), {"stride": (3, 2), "output_padding": (2, 1)}),
    "dilation": ((1, 6, 4, 5), (6, 2, 3, 3), {"dilation": (2, 3), "padding": (2, 1), "groups": 2}),
    "depthwise": ((2, 5, 4, 4), (5, 1, 3, 3), {"stride": (2, 2), "groups": 5}),
    "many channels": ((2, 33, 7, 6), (33, 32, 3, 3), {"padding": (1, 1)}),
}


def make(case, dtype=np.float64):
    x_shape, weight_shape, numbers = CASES[case]
    x, weight = random_array(x_shape, dtype, seed=1), random_array(weight_shape, dtype, seed=2)
    bias = random_array((weight_shape[1] * numbers.get("groups", 1),), dtype, seed=3)
    y = oracle.conv_transpose2d_forward(x, weight, bias, **numbers)
    return x, weight, bias, numbers, y, random_array(y.shape, dtype, seed=4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_forward(executor, case, dtype):
    x, weight, bias, numbers, expected, _ = make(case, dtype)
    y = ops.conv_transpose2d_forward(*(executor.array(a) for a in (x, weight, bias)), **numbers)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), expected)


@functools.cache
def slopes(case):
    """dx and dweight by central differences, for every executor: each element costs two runs of the loops."""
    x, weight, bias, numbers, _, dy = make(case)

    def forward(x=x, weight=weight):
        return oracle.conv_transpose2d_forward(x, weight, bias, **numbers)

    return (
        numerical_gradient(lambda v: forward(x=v), x, dy),
        numerical_gradient(lambda v: forward(weight=v), weight, dy),
    )


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("empty", "many channels")])
def test_backward(executor, case):
    x, weight, _, numbers, _, dy = make(case)
    expected_dx, expected_dweight = slopes(case)
    dx = ops.conv_transpose2d_backward_data(executor.array(dy), executor.array(weight), x.shape, **numbers)
    dweight = ops.conv_transpose2d_backward_weight(
        executor.array(dy), executor.array(x), weight.shape, **numbers
    )
    dbias = ops.conv_transpose2d_backward_bias(executor.array(dy))
    assert_close(executor.numpy(dx), expected_dx, tolerance=FINITE_DIFFERENCE)
    assert_close(executor.numpy(dweight), expected_dweight, tolerance=FINITE_DIFFERENCE)
    assert_close(executor.numpy(dbias), dy.sum((0, 2, 3)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", ["empty", "stride", "many channels"])
def test_backward_in_every_dtype(executor, case, dtype):
    x, weight, _, numbers, _, dy = make(case, dtype)

    def gradients(x, weight, dy):
        x, weight, dy = (executor.array(a) for a in (x, weight, dy))
        return (
            ops.conv_transpose2d_backward_data(dy, weight, x.shape, **numbers),
            ops.conv_transpose2d_backward_weight(dy, x, weight.shape, **numbers),
            ops.conv_transpose2d_backward_bias(dy),
        )

    expected = gradients(*(a.astype(np.float64) for a in (x, weight, dy)))
    for mine, theirs in zip(gradients(x, weight, dy), expected, strict=True):
        assert mine.dtype == dtype
        assert_close(executor.numpy(mine), executor.numpy(theirs))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, layout):
    x, weight, bias, numbers, *_ = make("stride")
    x, weight, bias = (executor.array(with_layout(a, layout)) for a in (x, weight, bias))
    with unmodified(x, weight, bias):
        y = ops.conv_transpose2d_forward(x, weight, bias, **numbers)
    x, weight, bias = (executor.numpy(a) for a in (x, weight, bias))
    assert_close(executor.numpy(y), oracle.conv_transpose2d_forward(x, weight, bias, **numbers))


def test_same_bits_for_any_thread_count():
    x, weight, bias, numbers, _, dy = make("many channels", np.float32)
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        results.add(
            ops.conv_transpose2d_forward(x, weight, bias, **numbers).tobytes()
            + ops.conv_transpose2d_backward_data(dy, weight, x.shape, **numbers).tobytes()
            + ops.conv_transpose2d_backward_weight(dy, x, weight.shape, **numbers).tobytes()
        )
    gpudl.set_num_threads(before)
    assert len(results) == 1


@pytest.mark.torch
@pytest.mark.parametrize(
    "numbers", [(4, 2, 1, 1, 2), (3, 3, 2, 2, 1), ((3, 2), (2, 1), (1, 0), (1, 0), 1)], ids=str
)
def test_layer_agrees_with_pytorch(numbers):
    torch = pytest.importorskip("torch")
    kernel, stride, padding, extra, groups = numbers
    theirs = torch.nn.ConvTranspose2d(6, 4, kernel, stride, padding, extra, groups, dtype=torch.float64)
    ours = nn.ConvTranspose2d(6, 4, kernel, stride, padding, extra, groups, dtype=np.float64)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    for shape in ((3, 6, 5, 4), (6, 5, 4)):
        x = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        y = theirs(x)
        dy = torch.randn_like(y)
        theirs.zero_grad()
        y.backward(dy)
        assert_close(ours(x.detach().numpy()), y.detach().numpy())
        ours.zero_grad()
        assert_close(ours.backward(dy.numpy()), x.grad.numpy())
        assert_close(ours.weight.grad, theirs.weight.grad.numpy())
        assert_close(ours.bias.grad, theirs.bias.grad.numpy())


@pytest.mark.torch
@given(st.data())
def test_pytorch_agrees_on_every_output_size(data):
    torch = pytest.importorskip("torch")

    def pair(low, high):
        return data.draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel, stride, dilation = pair(2, 4), pair(1, 3), pair(1, 2)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    theirs = torch.nn.ConvTranspose2d(2, 3, kernel, stride, padding, dilation=dilation, dtype=torch.float64)
    ours = nn.ConvTranspose2d(2, 3, kernel, stride, padding, dilation=dilation, dtype=np.float64)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(*data.draw(st.sampled_from([(2, 2, 3, 4), (2, 3, 4)])), dtype=torch.float64)
    x.requires_grad_(True)
    least = theirs(x).shape
    extra = [data.draw(st.integers(0, s - 1)) for s in stride]
    size = (*least[:-2], *(low + e for low, e in zip(least[-2:], extra, strict=True)))
    size = data.draw(st.sampled_from([size, size[-2:], list(size[-2:])]))
    y = theirs(x, output_size=size)
    y.backward(torch.ones_like(y))
    assert_close(ours(x.detach().numpy(), output_size=size), y.detach().numpy())
    assert_close(ours.backward(np.ones(tuple(y.shape))), x.grad.numpy())
    assert_close(ours.weight.grad, theirs.weight.grad.numpy())


def test_output_size_restores_the_shape_that_a_stride_loses():
    down, up = nn.Conv2d(1, 2, 3, 2, 1), nn.ConvTranspose2d(2, 1, 3, 2, 1)
    for side in (8, 9):
        x = random_array((2, 1, side, side), np.float32)
        y = up(down(x), x.shape)
        assert y.shape == x.shape
        assert up.backward(y).shape == (2, 2, (side + 1) // 2, (side + 1) // 2)
    assert up(down(x)).shape == (2, 1, 9, 9)
    before = up.weight.grad.copy()
    assert_refuses(
        lambda: up(down(x), (12, 9)),
        ValueError,
        "output_size must be from (9, 9) to (10, 10) for x (2, 2, 5, 5)",
    )
    assert np.array_equal(up.weight.grad, before)
    assert up.backward(np.ones((2, 1, 9, 9), np.float32)).shape == (
        2,
        2,
        5,
        5,
    )  # of the last call that worked


def test_layer_arguments():
    layer = nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, bias=False, dilation=2, dtype="float16")
    assert layer.weight.shape == (4, 3, 3, 3)
    assert layer.weight.dtype == np.float16
    assert list(layer.state_dict()) == ["weight"]
    layer.input_requires_grad = False
    y = layer(random_array((2, 4, 5, 5), np.float16))
    assert layer.backward(y) is None
    layer.requires_grad_(False)
    layer.zero_grad()
    layer(random_array((2, 4, 5, 5), np.float16))
    layer.backward(y)
    assert layer.weight.grad is None


X, W = np.ones((2, 4, 5, 5), np.float32), np.ones((4, 6, 3, 3), np.float32)
TRANSPOSED = ops.conv_transpose2d_forward


@bad_calls(
    ("list", lambda: TRANSPOSED([1], W), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("rank", lambda: TRANSPOSED(X[0, 0], W), ValueError, "x must have shape (N, C, H, W) or (C, H, W)"),
    ("channels", lambda: TRANSPOSED(X[:, :3], W), ValueError, "3"),
    ("groups", lambda: TRANSPOSED(X, W, groups=3), ValueError, "groups"),
    ("bias", lambda: TRANSPOSED(X, W, X[0, 0, 0]), ValueError, "bias must have shape (6,)"),
    ("output_padding", lambda: TRANSPOSED(X, W, output_padding=1), ValueError, "output_padding"),
    ("stride", lambda: TRANSPOSED(X, W, stride=0), ValueError, "stride must be at least 1, got 0"),
    ("dy", lambda: ops.conv_transpose2d_backward_data(X, W, (2, 4, 5, 5)), ValueError, "dy must have shape (2, 6, 7, 7)"),
    ("size", lambda: ops.conv_transpose2d_backward_weight(X, X, 3), TypeError, "weight_size must be a tuple of ints"),
    ("layer padding", lambda: nn.ConvTranspose2d(1, 1, 3, padding="same"), TypeError, "padding must be an int or 2 ints"),
    ("mode", lambda: nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect"), ValueError, "padding_mode must be one of 'zeros'"),
    ("output_size", lambda: nn.ConvTranspose2d(4, 1, 3)(X, 7), ValueError, "None, 2 ints or 4 ints for x (2, 4, 5, 5), got 7"),
    ("output_size rank", lambda: nn.ConvTranspose2d(4, 1, 3)(X[0], (1, 1, 7, 7)), ValueError, "2 ints or 3 ints"),
    ("output_size type", lambda: nn.ConvTranspose2d(4, 1, 3)(X, (7, 7.0)), TypeError, "output_size must be an int"),
    ("layer extra", lambda: nn.ConvTranspose2d(1, 1, 3, output_padding=1), ValueError, "less than stride or dilation"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

"""Linear: operators against loops, layer against finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles import linear as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

SIZES = [(1, 1, 1), (3, 31, 33), (33, 32, 7), (0, 5, 4), (4, 1, 31), (5, 13, 1)]


def make(rows, inputs, outputs, dtype=np.float64):
    x = random_array((rows, inputs), dtype, seed=1)
    weight = random_array((outputs, inputs), dtype, seed=2)
    bias = random_array((outputs,), dtype, seed=3)
    return x, weight, bias


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES)
def test_forward(executor, rows, inputs, outputs, dtype):
    x, weight, bias = make(rows, inputs, outputs, dtype)
    arrays = [executor.array(a) for a in (x, weight, bias)]
    y = ops.linear_forward(*arrays)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), oracle.linear_forward(x, weight, bias), dtype)
    assert_close(executor.numpy(ops.linear_forward(*arrays[:2])), oracle.linear_forward(x, weight), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES)
def test_backward(executor, rows, inputs, outputs, dtype):
    x, weight, _ = make(rows, inputs, outputs, dtype)
    dy = random_array((rows, outputs), dtype, seed=4)
    x64, w64, dy64 = (a.astype(np.float64) for a in (x, weight, dy))
    dx = ops.linear_backward_data(executor.array(dy), executor.array(weight))
    dweight = ops.linear_backward_weight(executor.array(dy), executor.array(x))
    dbias = ops.linear_backward_bias(executor.array(dy))
    assert_close(executor.numpy(dx), dy64 @ w64, dtype)
    assert_close(executor.numpy(dweight), dy64.T @ x64, dtype)
    assert_close(executor.numpy(dbias), dy64.sum(0), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("rows", "outputs"), [(0, 3), (1, 1), (999, 1), (1003, 10), (4000, 3), (37, 4096), (1500, 264)]
)
def test_bias_gradient(executor, rows, outputs, dtype):
    """Few channels and many, rows that are no whole number of vectors, more of them than one block sums."""
    dy = random_array((rows, outputs), dtype, seed=5)
    dbias = executor.numpy(ops.linear_backward_bias(executor.array(dy)))
    assert_close(dbias, dy.astype(np.float64).sum(0))


def test_bias_gradient_takes_nan_and_inf_to_their_own_channel(executor):
    dy = random_array((300, 5), np.float32, seed=5)
    dy[7, 1], dy[250, 3] = np.nan, np.inf
    dbias = executor.numpy(ops.linear_backward_bias(executor.array(dy)))
    assert np.isnan(dbias[1])
    assert dbias[3] == np.inf
    assert np.isfinite(dbias[[0, 2, 4]]).all()


def test_gradients_are_those_of_the_oracle():
    x, weight, bias = make(3, 5, 4)
    dy = random_array((3, 4), seed=4)
    expected = numerical_gradient(lambda v: oracle.linear_forward(v, weight, bias), x, dy)
    assert_close(ops.linear_backward_data(dy, weight), expected, tolerance=FINITE_DIFFERENCE)
    expected = numerical_gradient(lambda v: oracle.linear_forward(x, v, bias), weight, dy)
    assert_close(ops.linear_backward_weight(dy, x), expected, tolerance=FINITE_DIFFERENCE)
    expected = numerical_gradient(lambda v: oracle.linear_forward(x, weight, v), bias, dy)
    assert_close(ops.linear_backward_bias(dy), expected, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, layout):
    x, weight, bias = (executor.array(with_layout(a, layout)) for a in make(7, 5, 6))
    with unmodified(x, weight, bias):
        y = ops.linear_forward(x, weight, bias)
    expected = oracle.linear_forward(*(executor.numpy(a) for a in (x, weight, bias)))
    assert_close(executor.numpy(y), expected)


@given(leading=st.lists(st.integers(0, 4), max_size=3), inputs=st.integers(1, 9), outputs=st.integers(1, 9))
def test_leading_axes(leading, inputs, outputs):
    x = random_array((*leading, inputs))
    weight = random_array((outputs, inputs), seed=1)
    y = ops.linear_forward(x, weight)
    assert_close(y, oracle.linear_forward(x, weight))
    assert ops.linear_backward_data(y, weight).shape == x.shape
    assert ops.linear_backward_weight(y, x).shape == weight.shape


def test_out(executor):
    x, weight, bias = (executor.array(a) for a in make(4, 5, 6))
    out = executor.array(np.zeros((4, 6)))
    assert ops.linear_forward(x, weight, bias, out=out) is out
    assert_close(executor.numpy(out), executor.numpy(ops.linear_forward(x, weight, bias)))
    wide = executor.array(np.zeros((4, 12)))
    assert_close(
        executor.numpy(ops.linear_forward(x, weight, out=wide[:, ::2])), executor.numpy(x @ weight.T)
    )
    assert not executor.numpy(wide[:, 1::2]).any()


def test_same_bits_for_any_thread_count():
    x, weight, bias = make(123, 67, 45, np.float32)
    before = gpudl.get_num_threads()
    results = []
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        results.append(ops.linear_forward(x, weight, bias).tobytes())
    gpudl.set_num_threads(before)
    assert len(set(results)) == 1


def test_nan_propagates(executor):
    x, weight, bias = make(3, 5, 4)
    x[1, 2] = np.nan
    y = executor.numpy(ops.linear_forward(*(executor.array(a) for a in (x, weight, bias))))
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()


def test_layer_accumulates_gradients(executor):
    layer = nn.Linear(5, 4, dtype=np.float64)
    x, dy = executor.array(random_array((3, 5))), executor.array(random_array((3, 4), seed=1))
    layer(x)
    dx = layer.backward(dy)
    once = executor.numpy(layer.weight.grad).copy()
    layer(x)
    layer.backward(dy)
    assert_close(executor.numpy(layer.weight.grad), 2 * once)
    assert_close(executor.numpy(dx), executor.numpy(dy) @ executor.numpy(layer.weight.data))


def test_layer_skips_what_is_frozen_or_not_wanted():
    layer = nn.Linear(5, 4)
    layer.weight.requires_grad = False
    layer.input_requires_grad = False
    layer(np.ones((2, 5), np.float32))
    assert layer.backward(np.ones((2, 4), np.float32)) is None
    assert layer.weight.grad is None
    assert layer.bias.grad is not None


def test_layer_arguments():
    layer = nn.Linear(3, 2, bias=False, dtype="float16")
    assert layer.bias is None
    assert layer.weight.dtype == np.float16
    assert set(layer.state_dict()) == {"weight"}
    assert repr(layer) == "Linear(3, 2, bias=False)"
    assert np.abs(nn.Linear(100, 100).weight.data).max() <= 0.1


def test_a_weight_of_other_features_may_take_the_place_of_the_first():
    layer = nn.Linear(3, 4)
    layer.weight, layer.bias = nn.Parameter(W[:2].copy()), None
    y = layer(X)
    assert y.shape == (2, 2)
    assert layer.backward(y).shape == X.shape
    assert layer.weight.grad.shape == (2, 3)


def _backward(dy):
    layer = nn.Linear(3, 4)
    layer(X)
    layer.backward(dy)


X, W, B = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.ones(4, np.float32)


@bad_calls(
    (
        "dtype as bias",
        lambda: nn.Linear(3, 4, np.float16),
        TypeError,
        "Linear: bias must be a bool, got type",
    ),
    (
        "x is a list",
        lambda: ops.linear_forward([[1.0]], W),
        TypeError,
        "x must be a NumPy or CuPy array, got list",
    ),
    ("integers", lambda: ops.linear_forward(X.astype(int), W), TypeError, "x must be float16"),
    ("two dtypes", lambda: ops.linear_forward(X, W.astype("f8")), TypeError, "weight float64"),
    ("weight rank", lambda: ops.linear_forward(X, B), ValueError, "weight must have shape (O, I), got (4,)"),
    ("features", lambda: ops.linear_forward(X[:, :2], W), ValueError, "last axis of x must be 3"),
    (
        "scalar x",
        lambda: ops.linear_forward(X[0, 0:1].reshape(()), W),
        ValueError,
        "x must have at least one axis",
    ),
    ("bias shape", lambda: ops.linear_forward(X, W, B[:2]), ValueError, "bias must have shape (4,)"),
    ("out shape", lambda: ops.linear_forward(X, W, out=X.copy()), ValueError, "out must have shape (2, 4)"),
    ("out dtype", lambda: ops.linear_forward(X, W, out=np.ones((2, 4))), TypeError, "out must be float32"),
    (
        "out overlaps",
        lambda: ops.linear_backward_bias(X, out=X[0]),
        ValueError,
        "out must not share memory with dy",
    ),
    (
        "layer dy",
        lambda: _backward(X),
        ValueError,
        "Linear: dy must have shape (2, 4), that of y, got (2, 3)",
    ),
    ("layer dy dtype", lambda: _backward(X.astype("f8")), TypeError, "x float32 and dy float64"),
    ("dy features", lambda: ops.linear_backward_data(X, W), ValueError, "last axis of dy must be 4"),
    ("rows", lambda: ops.linear_backward_weight(X, X[:1]), ValueError, "agree in all axes but the last"),
    ("in_features", lambda: nn.Linear(0, 1), ValueError, "in_features must be at least 1, got 0"),
    ("out_features", lambda: nn.Linear(1, 2.5), TypeError, "out_features must be an int, got float"),
    ("layer dtype", lambda: nn.Linear(1, 2, dtype=int), TypeError, "dtype must be float16"),
    (
        "layer device",
        lambda: nn.Linear(1, 2, device="tpu"),
        ValueError,
        "expected one of 'cpu', 'simt', 'cuda'",
    ),
    ("backward first", lambda: nn.Linear(3, 4).backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

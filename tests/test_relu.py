"""ReLU: exact in every dtype, shape and storage order, special values included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.oracles import relu as oracle
from tests.support.tolerances import DTYPES

SHAPES = [(), (0,), (1,), (31,), (2, 33), (2, 3, 5), (2, 3, 5, 7), (0, 3, 4, 4), (2, 1, 2, 3, 2)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_both_directions(executor, shape, dtype):
    x, dy = (np.asarray(random_array(shape, seed=seed), dtype) for seed in (1, 2))
    y = ops.relu_forward(executor.array(x))
    dx = ops.relu_backward(executor.array(dy), y)
    assert y.dtype == dx.dtype == dtype
    assert (executor.numpy(y) == oracle.relu_forward(x)).all()
    assert (executor.numpy(dx) == oracle.relu_backward(dy, executor.numpy(y))).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_special_values(executor, dtype):
    values = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0]
    x = np.array(values * 8, dtype)
    dy = np.repeat(np.array(values, dtype), 8)
    y = ops.relu_forward(executor.array(x))
    np.testing.assert_array_equal(executor.numpy(y).astype(float), oracle.relu_forward(x))
    dx = ops.relu_backward(executor.array(dy), executor.array(x))
    np.testing.assert_array_equal(executor.numpy(dx).astype(float), oracle.relu_backward(dy, x))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, layout):
    x = executor.array(with_layout(random_array((2, 3, 5, 4)), layout))
    dy = executor.array(with_layout(random_array((2, 3, 5, 4), seed=1), layout))
    with unmodified(x, dy):
        y = ops.relu_forward(x)
        dx = ops.relu_backward(dy, x)
        mixed = ops.relu_backward(executor.array(random_array((2, 3, 5, 4), seed=1)), x)
    assert (executor.numpy(y) == oracle.relu_forward(executor.numpy(x))).all()
    assert (executor.numpy(dx) == oracle.relu_backward(executor.numpy(dy), executor.numpy(x))).all()
    other = random_array((2, 3, 5, 4), seed=1)
    assert (executor.numpy(mixed) == oracle.relu_backward(other, executor.numpy(x))).all()
    if layout == "channels_last":
        assert y.strides == dx.strides == x.strides


@given(length=st.integers(0, 600_000), threads=st.integers(1, 3))
def test_blocks_meet_at_any_length(length, threads):
    x = random_array((length,), np.float32)
    before = gpudl.get_num_threads()
    gpudl.set_num_threads(threads)
    y = ops.relu_forward(x)
    dx = ops.relu_backward(x, y)
    gpudl.set_num_threads(before)
    assert np.array_equal(y, np.where(x > 0, x, 0))
    assert np.array_equal(dx, np.where(x > 0, x, 0))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided", "reversed"])
def test_out_may_be_the_input(layout):
    x = with_layout(random_array((2, 3, 5, 4)), layout)
    expected = oracle.relu_forward(x)
    assert ops.relu_forward(x, out=x) is x
    assert (x == expected).all()
    dy = with_layout(random_array((2, 3, 5, 4), seed=1), layout)
    expected = oracle.relu_backward(dy, x)
    assert ops.relu_backward(dy, x, out=dy) is dy
    assert (dy == expected).all()


@pytest.mark.parametrize("inplace", [False, True])
def test_layer(inplace):
    layer = nn.ReLU(inplace=inplace)
    x, dy = random_array((3, 4)), random_array((3, 4), seed=1)
    before = x.copy()
    y = layer(x)
    assert (y is x) == inplace
    assert (y == oracle.relu_forward(before)).all()
    assert inplace or (x == before).all()
    assert (layer.backward(dy) == oracle.relu_backward(dy, y)).all()
    layer.input_requires_grad = False
    layer(x)
    assert layer.backward(dy) is None
    assert repr(layer) == ("ReLU(inplace=True)" if inplace else "ReLU()")


X = np.ones((2, 3), np.float32)


@bad_calls(
    ("list", lambda: ops.relu_forward([1.0]), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("integers", lambda: ops.relu_forward(X.astype(int)), TypeError, "x must be float16"),
    ("out shape", lambda: ops.relu_forward(X, out=X[:1]), ValueError, "out must have shape (2, 3)"),
    ("overlap", lambda: ops.relu_forward(X, out=X[::-1]), ValueError, "out must not share memory with x"),
    (
        "y shape",
        lambda: ops.relu_backward(X, X[:1]),
        ValueError,
        "y must have shape (2, 3), that of dy, got (1, 3)",
    ),
    ("dtypes", lambda: ops.relu_backward(X, X.astype("f8")), TypeError, "y float64"),
    ("inplace", lambda: nn.ReLU(inplace=1), TypeError, "inplace must be a bool, got int"),
    (
        "inplace on read-only",
        lambda: nn.ReLU(inplace=True)(with_layout(X, "read_only")),
        ValueError,
        "out must be writeable, got a read-only array",
    ),
    ("backward first", lambda: nn.ReLU().backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

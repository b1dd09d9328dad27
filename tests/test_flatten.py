"""Flatten: logical order whatever the storage, and back."""

import numpy as np
import pytest

from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.tolerances import DTYPES

AXES = {(1, -1): (2, 60), (0, -1): (120,), (2, 3): (2, 3, 20), (0, 1): (6, 4, 5), (-2, -2): (2, 3, 4, 5)}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_there_and_back(executor, axes, dtype):
    x = random_array((2, 3, 4, 5), dtype)
    y = ops.flatten_forward(executor.array(x), *axes)
    assert y.dtype == dtype
    assert (executor.numpy(y) == x.reshape(AXES[axes])).all()
    dx = ops.flatten_backward(y, x.shape)
    assert (executor.numpy(dx) == x).all()
    assert dx.transpose(0, 2, 3, 1).flags.c_contiguous
    assert not np.shares_memory(dx, y)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_any_memory_layout(executor, axes, layout):
    x = executor.array(with_layout(random_array((2, 3, 4, 5)), layout))
    with unmodified(x):
        y = ops.flatten_forward(x, *axes)
        dx = ops.flatten_backward(x, (3, 2, 20))
    assert (executor.numpy(y) == np.array(executor.numpy(x)).reshape(AXES[axes])).all()
    assert (executor.numpy(dx) == np.array(executor.numpy(x)).reshape(3, 2, 20)).all()
    assert not np.shares_memory(x, y)
    assert not np.shares_memory(x, dx)


def test_empty_scalar_and_out():
    assert ops.flatten_forward(np.zeros((0, 3, 4))).shape == (0, 12)
    assert ops.flatten_forward(np.zeros(()), 0).shape == (1,)
    x, out = random_array((2, 3, 4)), np.zeros((2, 12))
    assert ops.flatten_forward(x, out=out) is out
    back = np.zeros((2, 3, 4))
    assert ops.flatten_backward(out, (2, 3, 4), out=back) is back
    assert (back == x).all()


def test_layer():
    layer = nn.Flatten(0, 2)
    x = random_array((2, 3, 4, 5))
    y = layer(x)
    assert y.shape == (24, 5)
    assert (layer.backward(y) == x).all()
    layer.input_requires_grad = False
    layer(x)
    assert layer.backward(y) is None
    assert repr(layer) == "Flatten(start_dim=0, end_dim=2)"
    assert nn.Flatten()(x).shape == (2, 60)


X = np.ones((2, 3), np.float32)


@bad_calls(
    ("list", lambda: ops.flatten_forward([1.0]), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("order", lambda: ops.flatten_forward(X, 1, 0), ValueError, "start_dim must not come after end_dim, got 1 and 0"),
    ("range", lambda: ops.flatten_forward(X, 0, 2), ValueError, "end_dim must be in [-2, 2), got 2"),
    ("low", lambda: ops.flatten_forward(X, -3), ValueError, "start_dim must be at least -2, got -3"),
    ("elements", lambda: ops.flatten_backward(X, (2, 2)), ValueError, "the 4 elements of input_size (2, 2), got (2, 3)"),
    ("size type", lambda: ops.flatten_backward(X, 6), TypeError, "input_size must be a tuple of ints, got int"),
    ("layer", lambda: nn.Flatten(1.5), TypeError, "start_dim must be an int, got float"),
    ("backward first", lambda: nn.Flatten().backward(X), RuntimeError, "backward without a forward"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

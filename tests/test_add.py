"""Sum of two arrays."""

import numpy as np
import pytest

from gpudl import ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.tolerances import DTYPES


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (3, 31, 5, 2), (2, 3, 5), (300, 1001)], ids=str)
def test_sum(executor, shape, dtype):
    a, b = random_array(shape, dtype), random_array(shape, dtype, seed=1)
    a, b = np.asarray(a, dtype), np.asarray(b, dtype)
    y = executor.numpy(ops.add_forward(executor.array(a), executor.array(b)))
    assert y.dtype == dtype
    assert (y == (a.astype(np.float64) + b.astype(np.float64)).astype(dtype)).all()


@pytest.mark.parametrize("second", LAYOUTS)
@pytest.mark.parametrize("first", LAYOUTS)
def test_any_pair_of_layouts(executor, first, second):
    a = executor.array(with_layout(random_array((2, 3, 5, 4)), first))
    b = executor.array(with_layout(random_array((2, 3, 5, 4), seed=1), second))
    with unmodified(a, b):
        y = ops.add_forward(a, b)
    assert (executor.numpy(y) == executor.numpy(a) + executor.numpy(b)).all()


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided", "reversed"])
def test_out_may_be_an_input(layout):
    a, b = with_layout(random_array((2, 3, 5, 4)), layout), random_array((2, 3, 5, 4), seed=1)
    expected = a + b
    assert ops.add_forward(a, b, out=a) is a
    assert (a == expected).all()


def test_channels_last_stays():
    a = with_layout(random_array((2, 3, 5, 4)), "channels_last")
    assert ops.add_forward(a, a).strides == a.strides


X = np.ones((2, 3), np.float32)


@bad_calls(
    ("list", lambda: ops.add_forward([1.0], X), TypeError, "a must be a NumPy or CuPy array, got list"),
    (
        "shapes",
        lambda: ops.add_forward(X, X[:1]),
        ValueError,
        "b must have shape (2, 3), that of a, got (1, 3)",
    ),
    ("dtypes", lambda: ops.add_forward(X, X.astype("f8")), TypeError, "b float64"),
    ("out", lambda: ops.add_forward(X, X, out=X[:1]), ValueError, "out must have shape (2, 3)"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

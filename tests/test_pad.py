"""Padding: every mode against numpy.pad, its gradient against finite differences."""

import numpy as np
import pytest

from gpudl import ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
SIDES = [0, 2, (1, 0, 0, 2), (0, 3, 2, 1)]


def oracle(x, padding, mode):
    left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else padding
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode=NUMPY_MODES[mode])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("padding", SIDES, ids=str)
@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_forward_moves_values_unchanged(executor, mode, padding, dtype):
    x = random_array((2, 3, 5, 4), dtype)
    y = executor.numpy(ops.pad2d_forward(executor.array(x), padding, mode=mode))
    assert y.dtype == dtype
    assert (y == oracle(x.astype(np.float64), padding, mode)).all()
    single = executor.numpy(ops.pad2d_forward(executor.array(x[1]), padding, mode=mode))
    assert (single == y[1]).all()


@pytest.mark.parametrize("padding", SIDES, ids=str)
@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_backward_is_the_gradient(executor, mode, padding):
    x = random_array((2, 3, 5, 4))
    dy = random_array(oracle(x, padding, mode).shape, seed=1)
    dx = executor.numpy(ops.pad2d_backward(executor.array(dy), padding, mode=mode))
    expected = numerical_gradient(lambda v: oracle(v, padding, mode), x, dy)
    assert_close(dx, expected, tolerance=FINITE_DIFFERENCE)
    single = executor.numpy(ops.pad2d_backward(executor.array(dy[0]), padding, mode=mode))
    assert_close(single, dx[0])


@pytest.mark.parametrize("channels", [1, 16])
@pytest.mark.parametrize(
    ("mode", "padding"),
    [
        ("reflect", (3, 3, 4, 4)),
        ("circular", (4, 4, 5, 5)),
        ("replicate", (9, 7, 6, 11)),
        ("zeros", (9, 7, 6, 11)),
    ],
)
def test_as_much_padding_as_a_mode_allows(executor, mode, padding, channels):
    """With 16 channels kernels move whole vectors."""
    x = random_array((2, channels, 5, 4))
    y = executor.numpy(ops.pad2d_forward(executor.array(x), padding, mode=mode))
    assert (y == oracle(x, padding, mode)).all()
    dy = random_array(y.shape, seed=1)
    dx = executor.numpy(ops.pad2d_backward(executor.array(dy), padding, mode=mode))
    assert_close(
        dx, numerical_gradient(lambda v: oracle(v, padding, mode), x, dy), tolerance=FINITE_DIFFERENCE
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_backward_in_every_dtype(executor, dtype):
    dy = random_array((1, 2, 7, 8), dtype)
    dx = executor.numpy(ops.pad2d_backward(executor.array(dy), 2, mode="reflect"))
    assert dx.dtype == dtype
    assert_close(
        dx, executor.numpy(ops.pad2d_backward(executor.array(dy, np.float64), 2, mode="reflect")), dtype
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, layout):
    x = executor.array(with_layout(random_array((2, 3, 5, 4)), layout))
    with unmodified(x):
        y = ops.pad2d_forward(x, (1, 2, 0, 3), mode="circular")
        dx = ops.pad2d_backward(x, 1, mode="replicate")
    assert (executor.numpy(y) == oracle(executor.numpy(x), (1, 2, 0, 3), "circular")).all()
    dense = executor.array(np.ascontiguousarray(executor.numpy(x)))
    assert (executor.numpy(dx) == executor.numpy(ops.pad2d_backward(dense, 1, mode="replicate"))).all()


def test_empty_batches_and_out():
    assert ops.pad2d_forward(np.zeros((0, 2, 3, 3)), 1, mode="reflect").shape == (0, 2, 5, 5)
    x, out = random_array((1, 2, 3, 3)), np.zeros((1, 2, 5, 5))
    assert ops.pad2d_forward(x, 1, out=out) is out
    assert (out == oracle(x, 1, "zeros")).all()
    back = np.zeros((1, 2, 3, 3))
    assert ops.pad2d_backward(out, 1, out=back) is back
    assert (back == x).all()


X = np.ones((1, 2, 3, 4), np.float32)


@bad_calls(
    ("mode", lambda: ops.pad2d_forward(X, 1, mode="wrap"), ValueError, "mode must be one of 'zeros'"),
    ("negative", lambda: ops.pad2d_forward(X, -1), ValueError, "padding must be at least 0, got -1"),
    ("two sides", lambda: ops.pad2d_forward(X, (1, 1)), ValueError, "padding must be an int or 4 ints"),
    ("reflect", lambda: ops.pad2d_forward(X, 3, mode="reflect"), ValueError, "at most 2 for mode 'reflect' and extent 3"),
    ("circular", lambda: ops.pad2d_forward(X, 4, mode="circular"), ValueError, "at most 3 for mode 'circular'"),
    ("empty", lambda: ops.pad2d_forward(X[:, :, :0], 1, mode="replicate"), ValueError, "at least one pixel to repeat"),
    ("rank", lambda: ops.pad2d_forward(X[0, 0], 1), ValueError, "x must have shape (N, C, H, W) or (C, H, W)"),
    ("list", lambda: ops.pad2d_backward([1.0], 1), TypeError, "dy must be a NumPy or CuPy array, got list"),
    ("dy too small", lambda: ops.pad2d_backward(X, 2), ValueError, "smaller than its padding (2, 2, 2, 2)"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

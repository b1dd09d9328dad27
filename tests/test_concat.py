"""Arrays joined along an axis, and cut again."""

import numpy as np
import pytest

from gpudl import ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.tolerances import DTYPES


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_there_and_back(executor, axis, dtype):
    shapes = [[2, 3, 4, 5] for _ in range(3)]
    for extent, shape in zip((1, 0, 7), shapes, strict=True):
        shape[axis] = extent
    parts = [random_array(shape, dtype, seed=i) for i, shape in enumerate(shapes)]
    y = ops.concat_forward([executor.array(part) for part in parts], axis)
    assert y.dtype == dtype
    assert (executor.numpy(y) == np.concatenate(parts, axis)).all()
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    pieces = ops.concat_backward(y, [part.shape[axis] for part in parts], axis)
    for piece, part in zip(pieces, parts, strict=True):
        assert (executor.numpy(piece) == part).all()
        assert not np.shares_memory(piece, y)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, layout):
    a, b = (executor.array(with_layout(random_array((2, 3, 4), seed=seed), layout)) for seed in (0, 1))
    with unmodified(a, b):
        y = executor.numpy(ops.concat_forward((a, b)))
        halves = ops.concat_backward(a, (1, 2))
    assert (y == np.concatenate([executor.numpy(a), executor.numpy(b)], 1)).all()
    assert (executor.numpy(halves[1]) == executor.numpy(a)[:, 1:]).all()


@pytest.mark.parametrize("width", [1, 8])
def test_many_arrays(executor, width):
    """More than one launch of the kernel takes, in units of an element and of 16 bytes."""
    parts = [random_array((3, width * (i % 3), 2, 2), np.float32, seed=i) for i in range(140)]
    y = ops.concat_forward([executor.array(part) for part in parts])
    assert (executor.numpy(y) == np.concatenate(parts, 1)).all()
    pieces = ops.concat_backward(y, [part.shape[1] for part in parts])
    assert all((executor.numpy(piece) == part).all() for piece, part in zip(pieces, parts, strict=True))


def test_vectors_and_out():
    a, out = random_array((3,)), np.zeros(6)
    assert ops.concat_forward([a, a], 0, out=out) is out
    assert (out == np.concatenate([a, a])).all()


X = np.ones((2, 3), np.float32)


@bad_calls(
    (
        "no list",
        lambda: ops.concat_forward(X),
        TypeError,
        "arrays must be a list or tuple of at least one array",
    ),
    ("empty", lambda: ops.concat_forward([]), TypeError, "at least one array"),
    (
        "second is a list",
        lambda: ops.concat_forward([X, [1]]),
        TypeError,
        "arrays[1] must be a NumPy or CuPy array",
    ),
    (
        "shapes",
        lambda: ops.concat_forward([X, X[:1]]),
        ValueError,
        "arrays[1] must agree with (2, 3) but for axis 1",
    ),
    ("ranks", lambda: ops.concat_forward([X, X[0]]), ValueError, "got (3,)"),
    ("axis", lambda: ops.concat_forward([X], 2), ValueError, "axis must be in [-2, 2), got 2"),
    ("extents", lambda: ops.concat_backward(X, [1, 1]), ValueError, "extents must add up to 3"),
    (
        "extents type",
        lambda: ops.concat_backward(X, 3),
        TypeError,
        "extents must be a list or tuple of ints, got int",
    ),
    ("negative", lambda: ops.concat_backward(X, [-1, 4]), ValueError, "extents must be at least 0, got -1"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

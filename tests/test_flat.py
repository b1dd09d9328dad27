"""Passes over one flat array: norms, the non-finite test, scaling, clamping, running average."""

import math

import numpy as np
import pytest

import gpudl
from gpudl import ops
from tests.support.arrays import assert_refuses, bad_calls, random_array
from tests.support.tolerances import DTYPES, assert_close

SIZES = [0, 1, 33, 65_536, 65_537, 200_003]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, 0.0, math.inf, -math.inf])
def test_norm(executor, size, dtype, norm_type):
    x = random_array((size,), dtype)
    expected = np.linalg.norm(x.astype(np.float64), norm_type) if size else 0.0
    # The sum of squares of 65536 float32 is taken in float32.
    assert ops.flat_norm(executor.array(x), norm_type=norm_type) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, 0.0, math.inf, -math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e9, math.inf])
def test_clip_norm_of_several_arrays(executor, max_norm, norm_type):
    arrays = [random_array((size,), seed=size) for size in (33, 0, 65_537)]
    arrays.append(np.zeros(5) if norm_type >= 0 else np.ones(5))
    norms = [np.linalg.norm(array, norm_type) for array in arrays if array.size]
    expected = np.linalg.norm(norms, norm_type)  # PyTorch's: for 0 the number of arrays that are not zero
    clipped = [executor.array(array.copy()) for array in arrays]
    norm = ops.flat_clip_norm(clipped, max_norm=max_norm, norm_type=norm_type)
    assert norm.shape == ()
    assert norm.dtype == np.float64
    assert float(norm) == pytest.approx(expected)
    assert ops.flat_norm([executor.array(array) for array in arrays], norm_type=norm_type) == float(norm)
    factor = min(1, max_norm / (expected + 1e-6))
    for array, result in zip(arrays, clipped, strict=True):
        assert_close(executor.numpy(result), array * factor)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_clip_norm_of_what_is_not_finite(executor, bad):
    """A norm of inf makes 0 of the finite ones, NaN makes NaN of all, as in PyTorch."""
    x = executor.array(np.array([1.0, bad, 2.0], np.float32))
    norm = float(ops.flat_clip_norm(x, max_norm=1.0))
    assert math.isnan(norm) if math.isnan(bad) else norm == bad
    assert np.array_equal(
        executor.numpy(x), [0, math.nan, 0] if bad == math.inf else [math.nan] * 3, equal_nan=True
    )
    x = executor.array(np.array([1.0, bad, 2.0], np.float32))
    ops.flat_clip_norm(x, max_norm=math.inf)
    assert np.isnan(executor.numpy(x)).all()


def test_clip_norm_of_nothing(executor):
    assert float(ops.flat_clip_norm([], max_norm=1.0)) == 0
    assert float(ops.flat_clip_norm(executor.array(np.zeros(0)), max_norm=1.0)) == 0


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_norm_where_squares_leave_the_range_of_float32(executor, scale):
    x = random_array((1000,), np.float32, scale=scale)
    expected = np.linalg.norm(x.astype(np.float64))
    assert ops.flat_norm(executor.array(x)) == pytest.approx(expected, rel=1e-6)


def test_norm_does_not_depend_on_threads():
    x = random_array((400_000,), np.float32)
    before = gpudl.get_num_threads()
    norms = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        norms.add(ops.flat_norm(x))
    gpudl.set_num_threads(before)
    assert len(norms) == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_nonfinite(executor, dtype, value):
    x = random_array((70_000,), dtype)
    assert not ops.flat_has_nonfinite(executor.array(x))
    x[-1] = value
    assert ops.flat_has_nonfinite(executor.array(x))
    assert not ops.flat_has_nonfinite(executor.array(x[:0].copy()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_scale_clamp_and_average(executor, size, dtype):
    x = random_array((size,), dtype)
    scaled, clamped = executor.array(x.copy()), executor.array(x.copy())
    ops.flat_scale(scaled, factor=0.3)
    assert_close(executor.numpy(scaled), x.astype(np.float64) * 0.3)
    ops.flat_clamp(clamped, limit=0.5)
    assert (executor.numpy(clamped) == np.clip(x.astype(np.float64), -0.5, 0.5).astype(dtype)).all()
    wide = np.float64 if dtype == np.float64 else np.float32
    average = random_array((size,), wide, seed=1)
    for decay in (0.0, 0.25, 0.999, 1.0):
        expected = decay * average.astype(np.float64) + (1 - decay) * x.astype(np.float64)
        moved = executor.array(average.copy())
        ops.flat_average(executor.array(x), moved, decay=decay)
        assert_close(executor.numpy(moved), expected)


def test_clamp_keeps_nan(executor):
    x = executor.array(np.array([np.nan, np.inf, -np.inf], np.float32))
    ops.flat_clamp(x, limit=2)
    np.testing.assert_array_equal(executor.numpy(x), [np.nan, 2, -2])


X = np.ones(4, np.float32)
FROZEN = X.copy()
FROZEN.flags.writeable = False


@bad_calls(
    ("list", lambda: ops.flat_norm([1.0]), TypeError, "x must be a NumPy or CuPy array, got float"),
    ("rank", lambda: ops.flat_norm(X[None]), ValueError, "x must have shape (M,), got (1, 4)"),
    (
        "norm_type",
        lambda: ops.flat_norm(X, norm_type="fro"),
        TypeError,
        "norm_type must be a number, got str",
    ),
    (
        "nan norm",
        lambda: ops.flat_norm(X, norm_type=math.nan),
        ValueError,
        "norm_type must be a number, got nan",
    ),
    ("max_norm", lambda: ops.flat_clip_norm(X, max_norm=-1), ValueError, "max_norm must be at least 0"),
    ("of a list", lambda: ops.flat_clip_norm([X, X[None]], max_norm=1), ValueError, "x must have shape (M,)"),
    (
        "frozen of a list",
        lambda: ops.flat_clip_norm([X, FROZEN], max_norm=1),
        ValueError,
        "x must be writeable",
    ),
    ("stride", lambda: ops.flat_has_nonfinite(X[::2]), ValueError, "x must be contiguous"),
    ("factor", lambda: ops.flat_scale(X, factor="2"), TypeError, "factor must be a number, got str"),
    ("read-only", lambda: ops.flat_scale(FROZEN, factor=2.0), ValueError, "x must be writeable"),
    (
        "limit",
        lambda: ops.flat_clamp(X, limit=-1),
        ValueError,
        "limit must be a finite number in [0, inf], got -1.0",
    ),
    (
        "decay",
        lambda: ops.flat_average(X, X.copy(), decay=1.5),
        ValueError,
        "decay must be a finite number in [0, 1]",
    ),
    ("average", lambda: ops.flat_average(X, np.ones(4), decay=0.5), TypeError, "average must be float32"),
    (
        "length",
        lambda: ops.flat_average(X, X[:2].copy(), decay=0.5),
        ValueError,
        "average must have shape (4,)",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

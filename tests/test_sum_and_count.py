"""Running sums: exact order, every layout and dtype, any cut into batches."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.tolerances import DTYPES

SHAPES = [(), (0,), (1,), (33,), (700,), (0, 3), (3, 0), (31, 7), (5, 4, 3), (2, 3, 4, 5), (2, 1500)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values(executor, shape, dtype):
    values = np.asarray(random_array(shape, dtype))
    for weight in (1.0, 2.5, 0):
        sums = ops.sum_and_count(executor.array(values), weight=weight)
        assert sums.dtype == np.float64
        total, count = executor.numpy(sums).tolist()
        exact = math.fsum(values.astype(np.float64).ravel().tolist())
        # a few hundred terms near 1 in float64
        assert total == pytest.approx(weight * exact, rel=1e-12, abs=1e-13)
        assert count == weight * values.size


def test_samples_are_added_one_after_the_other(executor):
    values = np.array([1e16, 1.0, -1e16, 1.0])
    assert executor.numpy(ops.sum_and_count(executor.array(values))).tolist() == [1.0, 4.0]
    start = executor.array(np.array([2.0**53, 10.0]))
    assert executor.numpy(ops.sum_and_count(executor.array(values[[1, 3]]), add_to=start)).tolist() == [
        2.0**53,
        12.0,
    ]


@pytest.mark.parametrize("size", [1, 3, 33, 1500])
def test_a_sample_is_summed_alike_wherever_it_stands(executor, size):
    values = random_array((7, size), np.float32)
    whole = executor.numpy(ops.sum_and_count(executor.array(values)))
    sums = None
    for batch in (values[:2], values[2:3], values[3:]):
        sums = ops.sum_and_count(executor.array(batch), add_to=sums)
    assert executor.numpy(sums).tobytes() == whole.tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(executor, layout):
    values = with_layout(random_array((4, 5, 6, 3), np.float32), layout)
    expected = ops.sum_and_count(executor.array(np.ascontiguousarray(values)))
    with unmodified(values):
        sums = ops.sum_and_count(executor.array(values))
    assert executor.numpy(sums).tobytes() == executor.numpy(expected).tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_propagates(executor, value):
    values = random_array((40, 3), np.float32)
    values[7, 1] = value
    total = executor.numpy(ops.sum_and_count(executor.array(values)))[0]
    assert np.array_equal(total, value, equal_nan=True)


@given(
    rows=st.integers(0, 30), size=st.integers(0, 300), cuts=st.lists(st.integers(0, 30), max_size=3),
    dtype=st.sampled_from(DTYPES), weight=st.sampled_from([1.0, 0.3]),
)  # fmt: skip
def test_the_bits_do_not_depend_on_the_cut_into_batches(rows, size, cuts, dtype, weight):
    values = random_array((rows, size), dtype, scale=1e3)
    whole = ops.sum_and_count(values, weight=weight)
    sums = np.zeros(2)
    for batch in np.split(values, sorted(min(cut, rows) for cut in cuts)):
        assert ops.sum_and_count(batch, weight=weight, add_to=sums) is sums
    assert sums[0].tobytes() == whole[0].tobytes()
    assert sums[1] == pytest.approx(whole[1], rel=1e-15 * 4)  # weight * size, added in up to four parts


def test_thread_count_does_not_change_bits():
    values = random_array((3_001, 77), np.float32)  # several blocks
    before, results = gpudl.get_num_threads(), set()
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        results.add(ops.sum_and_count(values).tobytes())
    gpudl.set_num_threads(before)
    assert len(results) == 1


X, PAIR = np.ones((2, 3), np.float32), np.ones(2)


@bad_calls(
    ("list", lambda: ops.sum_and_count([1.0]), TypeError, "values must be a NumPy or CuPy array, got list"),
    ("dtype", lambda: ops.sum_and_count(np.arange(3)), TypeError, "values must be float16, bfloat16, float32 or float64"),
    ("weight", lambda: ops.sum_and_count(X, weight=-1), ValueError, "weight must be a finite number in [0, inf], got -1"),
    ("weight nan", lambda: ops.sum_and_count(X, weight=np.nan), ValueError, "weight must be a finite number"),
    ("weight type", lambda: ops.sum_and_count(X, weight=True), TypeError, "weight must be a number, got bool"),
    ("add_to dtype", lambda: ops.sum_and_count(X, add_to=np.zeros(2, int)), TypeError, "add_to must be float64, got int64"),
    ("add_to shape", lambda: ops.sum_and_count(X, add_to=np.zeros(3)), ValueError, "add_to must have shape (2,)"),
    ("add_to values", lambda: ops.sum_and_count(PAIR, add_to=PAIR), ValueError, "add_to must not share memory with values"),
    ("add_to strided", lambda: ops.sum_and_count(X, add_to=np.zeros(4)[::2]), ValueError, "add_to must be contiguous"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

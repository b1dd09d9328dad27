"""Counts of (true class, predicted class): scores and labels, every rank and dtype."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import ops
from tests.support.arrays import (
    COMPILED,
    LAYOUTS,
    assert_refuses,
    bad_calls,
    random_array,
    unmodified,
    with_layout,
)
from tests.support.oracles import counts as oracle
from tests.support.tolerances import DTYPES

SHAPES = [(0, 3), (1, 1), (3,), (31, 7), (32, 33), (5, 4, 3), (2, 3, 4, 5), (0, 2, 3)]


def target_for(shape, seed=1):
    places, classes = (shape[2:], shape[0]) if len(shape) == 1 else ((shape[0], *shape[2:]), shape[1])
    return np.asarray(np.random.default_rng(seed).integers(0, classes, places))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values(executor, shape, dtype):
    classes = shape[0] if len(shape) == 1 else shape[1]
    t, guess = target_for(shape), target_for(shape, seed=2).astype(np.int16)
    ties = np.random.default_rng(0).choice([-np.inf, 0, 1, np.nan], shape).astype(dtype)
    for prediction in (random_array(shape, dtype), ties, guess):
        for ignored in (None, 0, -100):
            counts = ops.confusion_counts(
                executor.array(prediction), executor.array(t), classes, ignore_index=ignored
            )
            assert counts.dtype == np.int64
            expected = oracle.confusion_counts(prediction, t, classes, ignored)
            np.testing.assert_array_equal(executor.numpy(counts), expected)


@pytest.mark.parametrize("classes", [300, 1100])
def test_wide_rows(executor, classes):
    """Rows beyond what one warp takes."""
    t = target_for((5, classes))
    for x in (random_array((5, classes), np.float32), np.full((5, classes), np.nan)):
        counts = ops.confusion_counts(executor.array(x), executor.array(t), classes)
        np.testing.assert_array_equal(executor.numpy(counts), oracle.confusion_counts(x, t, classes, None))


@pytest.mark.parametrize("executor", COMPILED, indirect=True)
def test_a_class_that_does_not_exist_is_not_counted_on_a_device(executor):
    """The host cannot look at classes there, so they are not refused."""
    t, guess = np.array([0, 3, -1, 1, 2**62, 2]), np.array([0, 1, 1, -(2**63), 1, 3])
    counts = ops.confusion_counts(executor.array(guess), executor.array(t), 3)
    np.testing.assert_array_equal(executor.numpy(counts), [[1, 0, 0], [0, 0, 0], [0, 0, 0]])
    counts = ops.confusion_counts(executor.array(np.eye(6, 3)), executor.array(t), 3)
    assert executor.numpy(counts).sum() == 3


def test_rows_are_true_classes_and_columns_predicted_ones(executor):
    counts = ops.confusion_counts(executor.array(np.array([2, 2, 0])), executor.array(np.array([1, 1, 0])), 3)
    np.testing.assert_array_equal(executor.numpy(counts), [[1, 0, 0], [0, 0, 2], [0, 0, 0]])


def test_scikit_learn_agrees(executor):
    confusion_matrix = pytest.importorskip("sklearn.metrics").confusion_matrix
    t, guess = target_for((500, 9)), target_for((500, 9), seed=2)
    counts = ops.confusion_counts(executor.array(guess), executor.array(t), 10)  # class 9 never comes
    np.testing.assert_array_equal(executor.numpy(counts), confusion_matrix(t, guess, labels=range(10)))


def test_the_trace_is_what_top_k_counts(executor):
    x = np.random.default_rng(0).choice([-1, 0, 1, np.nan], (500, 5))
    t = target_for(x.shape)
    counts = executor.numpy(ops.confusion_counts(executor.array(x), executor.array(t), 5))
    correct = executor.numpy(ops.top_k_correct(executor.array(x), executor.array(t), k=1))
    assert [np.trace(counts), counts.sum()] == correct.tolist()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_dtype(executor, dtype):
    guess, t = target_for((40, 5), seed=2).astype(dtype), target_for((40, 5)).astype(dtype)
    counts = ops.confusion_counts(executor.array(guess), executor.array(t), 5)
    np.testing.assert_array_equal(executor.numpy(counts), oracle.confusion_counts(guess, t, 5))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(executor, layout):
    x = with_layout(random_array((4, 5, 6, 3), np.float32), layout)
    t = with_layout(target_for(x.shape), layout)
    guess = with_layout(target_for(x.shape, seed=2), layout)
    with unmodified(x, t, guess):
        for prediction in (x, guess):
            counts = ops.confusion_counts(executor.array(prediction), executor.array(t), 5)
            np.testing.assert_array_equal(executor.numpy(counts), oracle.confusion_counts(prediction, t, 5))


@given(rows=st.integers(0, 40), classes=st.integers(1, 9), cut=st.integers(0, 40), data=st.data())
def test_any_cut_into_batches_adds_up(rows, classes, cut, data):
    ignored = data.draw(st.sampled_from([None, 0, classes - 1]))
    x, t = random_array((rows, classes)), target_for((rows, classes))
    counts = ops.confusion_counts(x[:cut], t[:cut], classes, ignore_index=ignored)
    same = ops.confusion_counts(x[cut:], t[cut:], classes, ignore_index=ignored, add_to=counts)
    assert same is counts
    np.testing.assert_array_equal(counts, oracle.confusion_counts(x, t, classes, ignored))


def test_thread_count_changes_nothing():
    x, t = random_array((30_011, 7), np.float32), target_for((30_011, 7))  # several blocks
    before, results = gpudl.get_num_threads(), []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        results.append(ops.confusion_counts(x, t, 7).tobytes())
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2] == oracle.confusion_counts(x, t, 7).tobytes()


def test_the_label_of_an_ignored_sample_may_be_anything(executor):
    guess, t = np.array([1, 99, -7]), np.array([1, -100, -100])
    counts = ops.confusion_counts(executor.array(guess), executor.array(t), 2, ignore_index=-100)
    np.testing.assert_array_equal(executor.numpy(counts), [[0, 0], [0, 1]])


X, T = np.ones((2, 3), np.float32), np.array([0, 2])
FROZEN = np.zeros((3, 3), np.int64)
FROZEN.flags.writeable = False
WIDE = np.zeros((3, 6), np.int64)


@bad_calls(
    ("list", lambda: ops.confusion_counts([1], T, 3), TypeError, "prediction must be a NumPy or CuPy array, got list"),
    ("target list", lambda: ops.confusion_counts(T, [0, 1], 3), TypeError, "target must be a NumPy or CuPy array, got list"),
    ("bool", lambda: ops.confusion_counts(T > 0, T, 3), TypeError, "prediction must be scores (float16"),
    ("classes", lambda: ops.confusion_counts(X, T, 4), ValueError, "scores of num_classes = 4 classes, got 3, shape (2, 3)"),
    ("no classes", lambda: ops.confusion_counts(T, T, 0), ValueError, "num_classes must be at least 1, got 0"),
    ("float classes", lambda: ops.confusion_counts(T, T, 3.0), TypeError, "num_classes must be an int, got float"),
    ("target shape", lambda: ops.confusion_counts(X, T[:1], 3), ValueError, "target must have shape (2,)"),
    ("target floats", lambda: ops.confusion_counts(T, X[:, 0], 3), TypeError, "target must have an integer dtype, got float32"),
    ("target", lambda: ops.confusion_counts(X, T + 1, 3), ValueError, "target must be in [0, 3), got 3"),
    ("label", lambda: ops.confusion_counts(T + 1, T, 3), ValueError, "prediction must be in [0, 3), got 3"),
    ("negative", lambda: ops.confusion_counts(X, -T, 3, ignore_index=-1), ValueError, "target must be in [0, 3) or ignore_index, got -2"),
    ("ignore_index", lambda: ops.confusion_counts(X, T, 3, ignore_index=0.5), TypeError, "ignore_index must be an int, got float"),
    ("add_to dtype", lambda: ops.confusion_counts(X, T, 3, add_to=np.zeros((3, 3), np.int32)), TypeError, "add_to must be int64, got int32"),
    ("add_to shape", lambda: ops.confusion_counts(X, T, 3, add_to=np.zeros((3, 2), int)), ValueError, "add_to must have shape (3, 3)"),
    ("add_to read-only", lambda: ops.confusion_counts(X, T, 3, add_to=FROZEN), ValueError, "add_to must be writeable"),
    ("add_to strided", lambda: ops.confusion_counts(X, T, 3, add_to=WIDE[:, ::2]), ValueError, "add_to must be contiguous"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_refused_call_adds_nothing():
    counts = np.ones((3, 3), np.int64)
    assert_refuses(
        lambda: ops.confusion_counts(T + 1, T, 3, add_to=counts), ValueError, "prediction must be in"
    )
    assert (counts == 1).all()

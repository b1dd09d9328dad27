"""Targets among the k largest scores: ties, NaN, every rank and dtype."""

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
SPECIAL = [-np.inf, -1.0, -0.0, 0.0, 1.0, 2.0, np.inf, np.nan]


def target_for(shape, seed=1):
    places, classes = (shape[2:], shape[0]) if len(shape) == 1 else ((shape[0], *shape[2:]), shape[1])
    return np.asarray(np.random.default_rng(seed).integers(0, classes, places))


def with_ties(shape, dtype=np.float64, seed=0):
    """Scores of few different values, NaN and infinities among them."""
    return np.random.default_rng(seed).choice(SPECIAL, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values(executor, shape, dtype):
    classes = shape[0] if len(shape) == 1 else shape[1]
    t = target_for(shape)
    for x in (random_array(shape, dtype), with_ties(shape, dtype)):
        for k in {1, min(2, classes), classes}:
            for ignored in (None, 0):
                counts = ops.top_k_correct(executor.array(x), executor.array(t), k=k, ignore_index=ignored)
                assert counts.dtype == np.int64
                assert counts.shape == (2,)
                assert executor.numpy(counts).tolist() == oracle.top_k_correct(x, t, k, ignored)


def test_the_rule_for_ties_and_nan(executor):
    def correct(scores, t, k):
        x = executor.array(np.array([scores], np.float32))
        return int(executor.numpy(ops.top_k_correct(x, executor.array(np.array([t])), k=k))[0])

    nan = np.nan
    assert [correct([1, 2, 2], t, 1) for t in range(3)] == [0, 1, 0]  # of equal scores the first
    assert [correct([1, 2, 2], t, 2) for t in range(3)] == [0, 1, 1]
    assert [correct([0, 0, 0], t, 2) for t in range(3)] == [1, 1, 0]
    assert [correct([0.0, -0.0, -1], t, 1) for t in range(3)] == [1, 0, 0]
    assert [correct([1, nan, np.inf], t, 1) for t in range(3)] == [0, 1, 0]  # NaN is above every number
    assert [correct([1, nan, np.inf], t, 2) for t in range(3)] == [0, 1, 1]
    assert [correct([nan, nan, nan], t, 2) for t in range(3)] == [1, 1, 0]


def test_k_of_one_is_numpys_argmax(executor):
    x, t = with_ties((997, 6)), target_for((997, 6))
    counts = executor.numpy(ops.top_k_correct(executor.array(x), executor.array(t), k=1))
    assert counts.tolist() == [int((x.argmax(axis=1) == t).sum()), 997]


@pytest.mark.parametrize("classes", [300, 1100, 9001])
def test_wide_rows(executor, classes):
    """Rows beyond what one warp takes and beyond what a block keeps at hand."""
    t = target_for((3, classes))
    for x in (random_array((3, classes), np.float32), with_ties((3, classes))):
        for k in (1, classes // 2, classes):
            counts = executor.numpy(ops.top_k_correct(executor.array(x), executor.array(t), k=k))
            assert counts.tolist() == oracle.top_k_correct(x, t, k)


@pytest.mark.parametrize("executor", COMPILED, indirect=True)
def test_a_target_that_is_no_class_is_not_counted_on_a_device(executor):
    """The host cannot look at targets there, so they are not refused."""
    x, t = random_array((5, 3)), np.array([3, -1, 2**62, -(2**63), 1])
    for k in (1, 3):
        counts = executor.numpy(ops.top_k_correct(executor.array(x), executor.array(t), k=k))
        assert counts.tolist() == oracle.top_k_correct(x[4:], t[4:], k)


@pytest.mark.torch
@pytest.mark.parametrize("k", [1, 3, 9])
def test_pytorch_agrees(k):
    torch = pytest.importorskip("torch")
    x, t = random_array((500, 9)), target_for((500, 9))
    largest = torch.from_numpy(x).topk(k, dim=1).indices
    expected = int((largest == torch.from_numpy(t)[:, None]).sum())
    assert ops.top_k_correct(x, t, k=k).tolist() == [expected, 500]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_dtype(executor, dtype):
    x, t = random_array((40, 5)), target_for((40, 5)).astype(dtype)
    counts = ops.top_k_correct(executor.array(x), executor.array(t), k=2)
    assert executor.numpy(counts).tolist() == oracle.top_k_correct(x, t, 2)
    guess = target_for((40, 5), seed=2).astype(np.int16)
    counts = ops.top_k_correct(executor.array(guess), executor.array(t), k=1, ignore_index=3)
    assert executor.numpy(counts).tolist() == oracle.top_k_correct(guess, t, 1, 3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(executor, layout):
    x = with_layout(random_array((4, 5, 6, 3), np.float32), layout)
    t = with_layout(target_for(x.shape), layout)
    with unmodified(x, t):
        for k in (1, 2):
            counts = ops.top_k_correct(executor.array(x), executor.array(t), k=k)
            assert executor.numpy(counts).tolist() == oracle.top_k_correct(x, t, k)


@given(
    rows=st.integers(0, 40),
    classes=st.integers(1, 9),
    cut=st.integers(0, 40),
    k=st.integers(1, 9),
    data=st.data(),
)
def test_any_cut_into_batches_adds_up(rows, classes, cut, k, data):
    ignored = data.draw(st.sampled_from([None, 0, classes - 1]))
    x, t, k = with_ties((rows, classes)), target_for((rows, classes)), min(k, classes)
    counts = ops.top_k_correct(x[:cut], t[:cut], k=k, ignore_index=ignored)
    same = ops.top_k_correct(x[cut:], t[cut:], k=k, ignore_index=ignored, add_to=counts)
    assert same is counts
    assert counts.tolist() == oracle.top_k_correct(x, t, k, ignored)


@pytest.mark.parametrize("k", [1, 3])
def test_thread_count_changes_nothing(k):
    x, t = with_ties((30_011, 7), np.float32), target_for((30_011, 7))  # several blocks
    before, results = gpudl.get_num_threads(), []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        results.append(ops.top_k_correct(x, t, k=k).tolist())
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2] == oracle.top_k_correct(x, t, k)


X, T = np.ones((2, 3), np.float32), np.array([0, 2])
FROZEN = np.zeros(2, np.int64)
FROZEN.flags.writeable = False


@bad_calls(
    ("list", lambda: ops.top_k_correct([1.0], T, k=1), TypeError, "prediction must be a NumPy or CuPy array, got list"),
    ("bool", lambda: ops.top_k_correct(T > 0, T, k=1), TypeError, "prediction must be scores (float16"),
    ("no classes", lambda: ops.top_k_correct(X[:, :0], T, k=1), ValueError, "C >= 1, got (2, 0)"),
    ("target floats", lambda: ops.top_k_correct(X, X[:, 0], k=1), TypeError, "target must have an integer dtype, got float32"),
    ("target shape", lambda: ops.top_k_correct(X, T[:1], k=1), ValueError, "target must have shape (2,)"),
    ("labels shape", lambda: ops.top_k_correct(T, T[:1], k=1), ValueError, "target must have shape (2,), that of prediction"),
    ("labels floats", lambda: ops.top_k_correct(T, X[:, 0], k=1), TypeError, "target must have an integer dtype, got float32"),
    ("labels k", lambda: ops.top_k_correct(T, T, k=2), ValueError, "k must be 1 for class indices, got 2"),
    ("k too large", lambda: ops.top_k_correct(X, T, k=4), ValueError, "k must be at most 3, the classes of prediction, got 4"),
    ("k zero", lambda: ops.top_k_correct(X, T, k=0), ValueError, "k must be at least 1, got 0"),
    ("k float", lambda: ops.top_k_correct(X, T, k=1.0), TypeError, "k must be an int, got float"),
    ("index", lambda: ops.top_k_correct(X, T + 1, k=1), ValueError, "target must be in [0, 3), got 3"),
    ("negative", lambda: ops.top_k_correct(X, -T, k=2, ignore_index=-1), ValueError, "target must be in [0, 3) or ignore_index, got -2"),
    ("ignore_index", lambda: ops.top_k_correct(X, T, k=1, ignore_index=True), TypeError, "ignore_index must be an int, got bool"),
    ("add_to list", lambda: ops.top_k_correct(X, T, k=1, add_to=[0, 0]), TypeError, "add_to must be a NumPy or CuPy array"),
    ("add_to dtype", lambda: ops.top_k_correct(X, T, k=1, add_to=np.zeros(2)), TypeError, "add_to must be int64, got float64"),
    ("add_to shape", lambda: ops.top_k_correct(X, T, k=1, add_to=np.zeros(1, int)), ValueError, "add_to must have shape (2,)"),
    ("add_to read-only", lambda: ops.top_k_correct(X, T, k=1, add_to=FROZEN), ValueError, "add_to must be writeable"),
    ("add_to target", lambda: ops.top_k_correct(X, T, k=1, add_to=T), ValueError, "add_to must not share memory with target"),
    ("add_to strided", lambda: ops.top_k_correct(X, T, k=1, add_to=np.zeros(4, int)[::2]), ValueError, "add_to must be contiguous"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_refused_call_adds_nothing():
    counts = np.array([3, 4])
    assert_refuses(lambda: ops.top_k_correct(X, T + 1, k=1, add_to=counts), ValueError, "target must be in")
    assert counts.tolist() == [3, 4]

"""Cross entropy and negative log likelihood: indices and probabilities, every option, every rank and dtype."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import (
    COMPILED,
    LAYOUTS,
    assert_refuses,
    bad_calls,
    random_array,
    unmodified,
    with_layout,
)
from tests.support.gradients import numerical_gradient
from tests.support.oracles import losses as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

SHAPES = [(3,), (1, 1), (5, 31), (4, 33), (3, 4, 2), (2, 3, 4, 5), (2, 3, 2, 1, 2)]
REDUCTIONS = ("none", "mean", "sum")


def indices_for(shape, seed=1, ignored=None):
    places = shape[2:] if len(shape) == 1 else (shape[0], *shape[2:])
    classes = shape[0] if len(shape) == 1 else shape[1]
    target = np.asarray(np.random.default_rng(seed).integers(0, classes, places))
    if ignored is not None and target.size > 1:
        target.reshape(-1)[1] = ignored
    return target


def probabilities_for(shape, dtype=np.float64):
    values = np.abs(random_array(shape, seed=4)) + 0.1
    return np.asarray(values / values.sum(axis=0 if len(shape) == 1 else 1, keepdims=True), dtype)


def weight_for(shape, dtype=np.float64):
    classes = shape[0] if len(shape) == 1 else shape[1]
    return np.asarray(np.abs(random_array((classes,), seed=2)) + 0.2, dtype)


def expected(x, t, weight, reduction, ignore_index=-100, label_smoothing=0.0, *, from_logits=True):
    return oracle.class_loss(x, t, weight, ignore_index, label_smoothing, reduction, from_logits=from_logits)


def both(executor, x, t, weight, gradient=None, **options):
    """Value and gradient by the operators."""
    arrays = [None if a is None else executor.array(a) for a in (x, t, weight, gradient)]
    value, kept = ops.cross_entropy_forward(*arrays[:3], needs_gradient=True, **options)
    return executor.numpy(value), executor.numpy(ops.cross_entropy_backward(kept, x.shape, arrays[3]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_of_indices(executor, shape, reduction, dtype):
    x = random_array(shape, dtype, scale=3)
    for weight, smoothing, ignored in itertools.product(
        (None, weight_for(shape, dtype)), (0, 0.2), (None, 1)
    ):
        t = indices_for(shape, ignored=ignored)
        options = {"reduction": reduction, "label_smoothing": smoothing}
        options |= {} if ignored is None else {"ignore_index": ignored}
        value, _ = both(executor, x, t, weight, **options)
        with np.errstate(invalid="ignore"):
            wanted = expected(x, t, weight, **options) if not _all_ignored(t, ignored) else None
        if wanted is not None:
            assert value.dtype == dtype
            assert_close(value, wanted)


def _all_ignored(t, ignored):
    return ignored is not None and bool((t == ignored).all())


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 3, 2, 2)], ids=str)
def test_gradients(executor, shape, reduction):
    x = random_array(shape)
    gradient = random_array((shape[0], *shape[2:]) if reduction == "none" and len(shape) > 1 else (), seed=8)
    gradient = np.asarray(gradient)
    for weight, smoothing in itertools.product((None, weight_for(shape)), (0, 0.3)):
        for t in (indices_for(shape, ignored=2 if len(shape) > 1 else None), probabilities_for(shape)):
            options = {
                "reduction": reduction,
                "label_smoothing": smoothing,
                "ignore_index": 2 if t.dtype.kind == "i" and t.ndim else -1,
            }
            _, dx = both(executor, x, t, weight, gradient, **options)
            wanted = numerical_gradient(
                lambda z, t=t, w=weight, o=options: expected(z, t, w, **o), x, gradient
            )
            assert_close(dx, wanted, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_of_probabilities(executor, shape, dtype):
    x, t = random_array(shape, dtype), probabilities_for(shape, dtype)
    for reduction in REDUCTIONS:
        value, _ = both(executor, x, t, weight_for(shape, dtype), reduction=reduction, label_smoothing=0.1)
        assert_close(value, expected(x, t, weight_for(shape, dtype), reduction, label_smoothing=0.1))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_in_every_dtype_agree_with_float64(executor, dtype):
    x = random_array((7, 33), dtype)
    t = indices_for(x.shape)
    _, dx = both(executor, x, t, None, reduction="sum", label_smoothing=0.1)
    _, exact = both(executor, np.asarray(x, np.float64), t, None, reduction="sum", label_smoothing=0.1)
    assert dx.dtype == dtype
    assert_close(dx, exact)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(executor, layout):
    x = with_layout(random_array((4, 5, 6, 3), np.float32), layout)
    t = with_layout(indices_for(x.shape), layout)
    weight = with_layout(weight_for(x.shape, np.float32), layout)
    with unmodified(x, t, weight):
        value, _ = both(executor, x, t, weight, reduction="none")
    assert_close(value, expected(x, t, weight, "none"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64])
def test_any_integer_dtype(executor, dtype):
    x, t = random_array((6, 5)), indices_for((6, 5))
    value, _ = both(executor, x, t.astype(dtype), None)
    assert_close(value, expected(x, t, None, "mean"))


@given(
    shape=st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(0, 4)),
    smoothing=st.floats(0, 1),
    reduction=st.sampled_from(["none", "sum"]),
)
def test_any_shape(shape, smoothing, reduction):
    x, t = random_array(shape), indices_for(shape)
    value = ops.cross_entropy_forward(x, t, label_smoothing=smoothing, reduction=reduction)
    assert_close(value, expected(x, t, None, reduction, label_smoothing=smoothing))


@pytest.mark.parametrize("classes", [300, 1500, 9001])
def test_wide_rows(executor, classes):
    """Rows beyond what one warp takes and beyond what a block keeps at hand."""
    x, weight = random_array((2, classes), np.float32), weight_for((2, classes), np.float32)
    softmax = np.exp(x - x.max(axis=1, keepdims=True).astype(np.float64))
    softmax /= softmax.sum(axis=1, keepdims=True)
    for t in (np.array([0, classes - 1]), probabilities_for(x.shape, np.float32)):
        value, dx = both(executor, x, t, weight, reduction="sum", label_smoothing=0.1)
        assert_close(value, expected(x, t, weight, "sum", label_smoothing=0.1))
        own = np.eye(classes)[t] if t.ndim == 1 else t
        q = weight * (0.9 * own + 0.1 / classes)
        assert_close(dx, q.sum(axis=1, keepdims=True) * softmax - q)


def test_means_of_many_rows(executor):
    x, t = random_array((9001, 3), np.float32), indices_for((9001, 3), ignored=1)
    value, _ = both(executor, x, t, weight_for(x.shape, np.float32), ignore_index=1)
    assert_close(value, expected(x, t, weight_for(x.shape, np.float32), "mean", 1))


@pytest.mark.parametrize("executor", COMPILED, indirect=True)
@pytest.mark.parametrize("wrong", [3, -1, 2**62])
def test_an_index_that_is_no_class_spoils_its_row_on_a_device(executor, wrong):
    """The host cannot look at indices there, so they are not refused."""
    x, t = np.log(probabilities_for((4, 3))), np.array([0, wrong, -100, 2])
    for forward, backward in (
        (ops.cross_entropy_forward, ops.cross_entropy_backward),
        (ops.nll_loss_forward, ops.nll_loss_backward),
    ):
        value, kept = forward(executor.array(x), executor.array(t), reduction="none", needs_gradient=True)
        spoiled = np.array([False, True, False, False])
        assert np.array_equal(np.isnan(executor.numpy(value)), spoiled)
        dx = executor.numpy(backward(kept, x.shape, executor.array(np.ones(4))))
        assert np.array_equal(np.isnan(dx), np.broadcast_to(spoiled[:, None], (4, 3)))
        assert np.isnan(executor.numpy(forward(executor.array(x), executor.array(t))))


def test_large_logits_are_stable(executor):
    x = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [3e38, 0.0, -3e38]], np.float32)
    t = np.array([0, 1, 1])
    value, dx = both(executor, x, t, None, reduction="none")
    assert_close(value, np.array([0.0, np.log(2.0), 3e38]))
    assert_close(dx, np.array([[0, 0, 0], [0, -0.5, 0.5], [1, -1, 0]]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored", [-100, 1], ids="ignored={}".format)
def test_a_mean_over_nothing_is_nan_and_has_no_gradient(executor, ignored, smoothing):
    """All samples ignored, or all of a class of weight 0."""
    x, t, weight = random_array((3, 4)), np.full(3, 1), np.array([1.0, 0, 1, 1])
    value, dx = both(executor, x, t, weight, ignore_index=ignored, label_smoothing=smoothing)
    assert np.isnan(value)
    assert (dx == 0).all()
    arrays = map(executor.array, (x, t, weight))
    value, kept = ops.nll_loss_forward(*arrays, ignore_index=ignored, needs_gradient=True)
    assert np.isnan(executor.numpy(value))
    assert (executor.numpy(ops.nll_loss_backward(kept, x.shape)) == 0).all()


def test_thread_count_does_not_change_bits():
    x, t = random_array((9_001, 11), np.float32), indices_for((9_001, 11))
    before = gpudl.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        value, kept = ops.cross_entropy_forward(x, t, label_smoothing=0.1, needs_gradient=True)
        results.append((value.tobytes(), ops.cross_entropy_backward(kept, x.shape).tobytes()))
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 3, 2, 2)], ids=str)
def test_negative_log_likelihood(executor, shape, reduction):
    x = np.log(probabilities_for(shape))
    gradient = np.asarray(
        random_array((shape[0], *shape[2:]) if reduction == "none" and len(shape) > 1 else (), seed=8)
    )
    ignored = 1 if len(shape) > 1 else -100
    for weight, dtype in itertools.product((None, weight_for(shape)), DTYPES):
        t = indices_for(shape, ignored=ignored)
        arrays = [executor.array(np.asarray(x, dtype)), executor.array(t)]
        arrays.append(None if weight is None else executor.array(np.asarray(weight, dtype)))
        value, kept = ops.nll_loss_forward(
            *arrays, ignore_index=ignored, reduction=reduction, needs_gradient=True
        )
        dx = ops.nll_loss_backward(kept, shape, executor.array(np.asarray(gradient, dtype)))
        given_x, given_weight = arrays[0], None if weight is None else np.asarray(weight, dtype)
        wanted = expected(executor.numpy(given_x), t, given_weight, reduction, ignored, from_logits=False)
        assert_close(executor.numpy(value), wanted)
        assert dx.dtype == dtype
        if dtype == np.float64:
            slope = numerical_gradient(
                lambda z, t=t, w=weight: expected(z, t, w, reduction, ignored, from_logits=False), x, gradient
            )
            assert_close(executor.numpy(dx), slope, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_layers(reduction):
    x, t, weight = random_array((6, 4)), indices_for((6, 4), ignored=2), weight_for((6, 4))
    criterion = nn.CrossEntropyLoss(weight, ignore_index=2, reduction=reduction, label_smoothing=0.1)
    assert list(criterion.state_dict()) == ["weight"]
    assert nn.CrossEntropyLoss().state_dict() == {}
    assert_close(criterion(x, t), expected(x, t, weight, reduction, 2, 0.1))
    dx = criterion.backward()
    assert dx.shape == x.shape
    assert_refuses(criterion.backward, RuntimeError, "backward without a forward")
    value = criterion(x, t)
    assert_close(criterion.backward(np.full_like(value, -3.0)), -3 * dx)
    with gpudl.no_grad():
        assert_close(criterion(x, t), value)
    assert_refuses(criterion.backward, RuntimeError, "backward without a forward")
    logs = np.log(probabilities_for((6, 4)))
    likelihood = nn.NLLLoss(weight, ignore_index=2, reduction=reduction)
    assert_close(likelihood(logs, t), expected(logs, t, weight, reduction, 2, from_logits=False))
    assert likelihood.backward().shape == logs.shape


@pytest.mark.parametrize("kind", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_layers_take_a_gradient_of_the_shape_of_the_value(kind):
    x, t = random_array((2, 3, 4)), indices_for((2, 3, 4))
    for reduction, expected, wrong in (("mean", (), (2, 4)), ("sum", (), (2, 4)), ("none", (2, 4), ())):
        criterion = kind(reduction=reduction)
        criterion(x, t)
        words = f"{kind.__name__}: gradient must have shape {expected}, that of the value, got {wrong}"
        assert_refuses(lambda c=criterion, s=wrong: c.backward(np.ones(s)), ValueError, words)
        criterion(x, t)
        criterion.backward(np.ones(expected))


@pytest.mark.torch
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 3, 2, 2)], ids=str)
def test_pytorch_agrees(shape, reduction):
    torch = pytest.importorskip("torch")
    x = random_array(shape, scale=4)
    x.reshape(-1)[0] = -np.inf
    weight = weight_for(shape)
    for t, smoothing in itertools.product(
        (indices_for(shape, ignored=1), probabilities_for(shape)), (0.0, 0.2)
    ):
        if smoothing or t.dtype.kind == "f":
            x = np.nan_to_num(x, neginf=-1e4)
        ignored = 1 if t.dtype.kind == "i" else -100
        options = {"ignore_index": ignored, "reduction": reduction, "label_smoothing": smoothing}
        ours = nn.CrossEntropyLoss(weight, **options)
        theirs = torch.nn.CrossEntropyLoss(torch.from_numpy(weight), **options)
        tx = torch.from_numpy(x).requires_grad_()
        value = theirs(tx, torch.from_numpy(t) if t.ndim else torch.tensor(int(t)))
        value.sum().backward()
        assert_close(ours(x, t), value.detach().numpy())
        assert_close(ours.backward(), tx.grad.numpy())


X = np.ones((2, 3), np.float32)
T = np.array([0, 2])


@bad_calls(
    (
        "list",
        lambda: ops.cross_entropy_forward([1.0], T),
        TypeError,
        "prediction must be a NumPy or CuPy array",
    ),
    (
        "index",
        lambda: ops.cross_entropy_forward(X, T + 1),
        ValueError,
        "target must be in [0, 3) or ignore_index, got 3",
    ),
    (
        "nll index",
        lambda: ops.nll_loss_forward(X, -T),
        ValueError,
        "target must be in [0, 3) or ignore_index, got -2",
    ),
    ("target shape", lambda: ops.cross_entropy_forward(X, T[:1]), ValueError, "target must have shape (2,)"),
    (
        "target floats",
        lambda: ops.cross_entropy_forward(X, X[:1]),
        ValueError,
        "target must have shape (2, 3)",
    ),
    (
        "nll floats",
        lambda: ops.nll_loss_forward(X, X),
        TypeError,
        "target must have an integer dtype, got float32",
    ),
    ("target dtype", lambda: ops.cross_entropy_forward(X, X.astype("f8")), TypeError, "target float64"),
    ("no classes", lambda: ops.cross_entropy_forward(X[:, :0], T), ValueError, "C >= 1, got (2, 0)"),
    ("weight", lambda: ops.cross_entropy_forward(X, T, X[0, :2]), ValueError, "weight must have shape (3,)"),
    (
        "reduction",
        lambda: nn.CrossEntropyLoss(reduction="max"),
        ValueError,
        "reduction must be one of 'none', 'mean'",
    ),
    (
        "smoothing",
        lambda: nn.CrossEntropyLoss(label_smoothing=1.1),
        ValueError,
        "label_smoothing must be a finite",
    ),
    (
        "ignore_index",
        lambda: nn.NLLLoss(ignore_index=0.5),
        TypeError,
        "ignore_index must be an int, got float",
    ),
    (
        "layer weight",
        lambda: nn.CrossEntropyLoss(weight=X),
        ValueError,
        "weight must have shape (C,), got (2, 3)",
    ),
    (
        "kept",
        lambda: ops.cross_entropy_backward(X, (2, 3)),
        TypeError,
        "kept must be the pair that the forward gave",
    ),
    (
        "kept of nll",
        lambda: ops.nll_loss_backward(ops.cross_entropy_forward(X, T, needs_gradient=True)[1], (2, 3)),
        TypeError,
        "kept must be what the forward gave, got tuple",
    ),
    (
        "shape",
        lambda: ops.nll_loss_backward(ops.nll_loss_forward(X, T, needs_gradient=True)[1], (3, 2)),
        ValueError,
        "shape must be that of prediction, 6 elements, got (3, 2)",
    ),
    (
        "gradient",
        lambda: ops.cross_entropy_backward(
            ops.cross_entropy_forward(X, T, needs_gradient=True)[1], (2, 3), X[0]
        ),
        ValueError,
        "gradient must have shape () or (2,), got (3,)",
    ),
    ("backward first", lambda: nn.CrossEntropyLoss().backward(), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

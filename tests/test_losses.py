"""Losses over elements: values and gradients of every option, in every dtype, shape and layout."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles import losses as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close


@dataclasses.dataclass
class Kind:
    """One loss: its operators, layer and oracle, the values it takes, and numbers away from the defaults."""

    stem: str
    layer: type
    oracle: Callable
    numbers: dict = dataclasses.field(default_factory=dict)
    extras: tuple = ()
    values: str = "real"
    reductions: tuple = ("none", "mean", "sum")

    def forward(self, *arrays, **options):
        return getattr(ops, f"{self.stem}_forward")(*arrays, **options)

    def backward(self, *arrays, **options):
        return getattr(ops, f"{self.stem}_backward")(*arrays, **options)

    def inputs(self, shape, dtype=np.float64, seed=0):
        """prediction, target and the extras."""
        raw = [random_array(shape, seed=seed + i) for i in range(2)]
        sigmoid = [1 / (1 + np.exp(-value)) for value in raw]
        chosen = {
            "real": raw,
            "probabilities": sigmoid,
            "logits": [raw[0], sigmoid[1]],
            "logarithms": [np.log(sigmoid[0]), np.log(sigmoid[1]) if self.numbers else sigmoid[1]],
        }[self.values]
        extras = [np.abs(random_array(shape[-1:], seed=seed + 5 + i)) + 0.1 for i in range(len(self.extras))]
        return [np.asarray(array, dtype) for array in (*chosen, *extras)]

    def expected(self, arrays, reduction):
        loss = oracle.elementwise(self.oracle, *arrays[:2], arrays[2:], **self.numbers)
        divisor = arrays[0].shape[0] if reduction == "batchmean" else None
        return oracle.reduce(loss, reduction, divisor)


KINDS = [
    Kind("mse_loss", nn.MSELoss, oracle.mse),
    Kind("l1_loss", nn.L1Loss, oracle.l1),
    Kind("smooth_l1_loss", nn.SmoothL1Loss, oracle.smooth_l1),
    Kind("smooth_l1_loss", nn.SmoothL1Loss, oracle.smooth_l1, {"beta": 0.3}),
    Kind("huber_loss", nn.HuberLoss, oracle.huber),
    Kind("huber_loss", nn.HuberLoss, oracle.huber, {"delta": 0.4}),
    Kind(
        "kl_div",
        nn.KLDivLoss,
        oracle.kl_div,
        values="logarithms",
        reductions=("none", "mean", "sum", "batchmean"),
    ),
    Kind(
        "kl_div",
        nn.KLDivLoss,
        oracle.kl_div,
        {"log_target": True},
        values="logarithms",
        reductions=("none", "mean", "sum", "batchmean"),
    ),
    Kind("binary_cross_entropy", nn.BCELoss, oracle.binary_cross_entropy, values="probabilities"),
    Kind(
        "binary_cross_entropy",
        nn.BCELoss,
        oracle.binary_cross_entropy,
        extras=("weight",),
        values="probabilities",
    ),
    Kind(
        "binary_cross_entropy_with_logits",
        nn.BCEWithLogitsLoss,
        oracle.binary_cross_entropy_with_logits,
        values="logits",
    ),
    Kind(
        "binary_cross_entropy_with_logits",
        nn.BCEWithLogitsLoss,
        oracle.binary_cross_entropy_with_logits,
        extras=("weight", "pos_weight"),
        values="logits",
    ),
]
IDS = [f"{kind.stem}-{kind.numbers or ','.join(kind.extras) or 'plain'}" for kind in KINDS]
CASES = [pytest.param(k, r, id=f"{i}-{r}") for k, i in zip(KINDS, IDS, strict=True) for r in k.reductions]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=IDS)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("kind", "reduction"), CASES)
def test_values(executor, kind, reduction, dtype):
    for shape in [(1,), (31,), (3, 33), (2, 3, 4, 5)]:
        arrays = kind.inputs(shape, dtype)
        value = kind.forward(*map(executor.array, arrays), reduction=reduction, **kind.numbers)
        assert value.dtype == dtype
        # differences of rounded logarithms lose digits where the terms cancel; relative to the largest term
        assert_close(executor.numpy(value), kind.expected(arrays, reduction))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_kind
def test_sums_of_many_elements(executor, kind, dtype):
    arrays = kind.inputs((20_011,), dtype)
    value = kind.forward(*map(executor.array, arrays[:2]), reduction="sum", **kind.numbers)
    assert_close(executor.numpy(value), kind.expected(arrays[:2], "sum"))


@pytest.mark.parametrize(("kind", "reduction"), CASES)
def test_gradients(executor, kind, reduction):
    for shape in [(5,), (3, 4), (2, 3, 2, 2)]:
        x, *rest = kind.inputs(shape, seed=3)
        gradient = random_array(shape if reduction == "none" else (), seed=9)
        dx = kind.backward(
            *map(executor.array, (x, *rest, np.asarray(gradient))), reduction=reduction, **kind.numbers
        )
        expected = numerical_gradient(lambda z, rest=rest: kind.expected([z, *rest], reduction), x, gradient)
        assert_close(executor.numpy(dx), expected, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_kind
def test_gradients_in_every_dtype_agree_with_float64(executor, kind, dtype):
    arrays = kind.inputs((7, 33), dtype)
    dx = kind.backward(*map(executor.array, arrays), reduction="sum", **kind.numbers)
    assert dx.dtype == dtype
    exact = kind.backward(*(np.asarray(a, np.float64) for a in arrays), reduction="sum", **kind.numbers)
    assert_close(executor.numpy(dx), exact)


@pytest.mark.parametrize("layout", LAYOUTS)
@every_kind
def test_layouts(executor, kind, layout):
    arrays = [with_layout(array, layout) for array in kind.inputs((3, 4, 5, 6), np.float32)]
    with unmodified(*arrays):
        value = kind.forward(*map(executor.array, arrays), reduction="none", **kind.numbers)
        dx = kind.backward(*map(executor.array, arrays), reduction="sum", **kind.numbers)
    plain = [np.ascontiguousarray(array) for array in arrays]
    assert_close(executor.numpy(value), kind.expected(plain, "none"))
    assert np.array_equal(executor.numpy(dx), kind.backward(*plain, reduction="sum", **kind.numbers))


@every_kind
@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=5).map(tuple))
def test_any_shape(kind, shape):
    arrays = kind.inputs(shape)
    assert_close(kind.forward(*arrays, reduction="none", **kind.numbers), kind.expected(arrays, "none"))
    assert kind.backward(*arrays, **kind.numbers).shape == shape


@every_kind
def test_nothing_at_all(kind):
    arrays = kind.inputs((0, 3))
    assert kind.forward(*arrays, reduction="sum", **kind.numbers) == 0
    assert np.isnan(kind.forward(*arrays, **kind.numbers))
    assert kind.backward(*arrays, **kind.numbers).shape == (0, 3)


@every_kind
def test_thread_count_does_not_change_bits(kind):
    arrays = kind.inputs((3, 70_001), np.float32)
    before = gpudl.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        value, dx = kind.forward(*arrays, **kind.numbers), kind.backward(*arrays, **kind.numbers)
        results.append((value.tobytes(), dx.tobytes()))
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(("kind", "reduction"), CASES)
def test_layers(kind, reduction):
    x, t, *extras = kind.inputs((4, 3))
    criterion = kind.layer(reduction=reduction, **kind.numbers, **dict(zip(kind.extras, extras, strict=True)))
    assert list(criterion.state_dict()) == list(kind.extras)
    assert f"reduction='{reduction}'" in repr(criterion)
    value = criterion(x, t)
    assert value.shape == ((4, 3) if reduction == "none" else ())
    assert_close(value, kind.expected([x, t, *extras], reduction))
    dx = criterion.backward()
    assert np.array_equal(dx, kind.backward(x, t, *extras, reduction=reduction, **kind.numbers))
    assert_refuses(criterion.backward, RuntimeError, "backward without a forward")
    criterion(x, t)
    assert np.array_equal(criterion.backward(np.full_like(value, 2.0)), 2 * dx)
    with gpudl.no_grad():
        criterion(x, t)
    assert_refuses(criterion.backward, RuntimeError, "backward without a forward")


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # PyTorch's advice on KLDivLoss
@pytest.mark.parametrize(("kind", "reduction"), CASES)
def test_pytorch_agrees(kind, reduction):
    torch = pytest.importorskip("torch")
    x, t, *extras = kind.inputs((6, 5), seed=7)
    special = {
        "real": [np.inf, np.nan],
        "probabilities": [0.0, 1.0],
        "logits": [1e4, -1e4],
        "logarithms": [-np.inf, 0],
    }
    x[0, :2] = special[kind.values]
    if kind.values == "logarithms" and not kind.numbers:
        t[1, 0] = 0
    named = dict(zip(kind.extras, extras, strict=True))
    ours = kind.layer(reduction=reduction, **kind.numbers, **named)
    theirs = getattr(torch.nn, kind.layer.__name__)(
        reduction=reduction, **kind.numbers, **{name: torch.from_numpy(a) for name, a in named.items()}
    )
    tx = torch.from_numpy(x).requires_grad_()
    expected = theirs(tx, torch.from_numpy(t))
    expected.sum().backward()
    assert_close(ours(x, t), expected.detach().numpy())
    assert_close(ours.backward(), tx.grad.numpy())
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_extras_broadcast_and_logits_may_be_large():
    x, t = np.array([[1e4, -1e4], [0.0, 3.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    assert_close(ops.binary_cross_entropy_with_logits_forward(x, t, reduction="none")[0], np.zeros(2))
    weight, pos_weight = np.array([[2.0], [3.0]]), np.array(0.5)
    value = ops.binary_cross_entropy_with_logits_forward(x, t, weight, pos_weight, reduction="none")
    expected = oracle.elementwise(oracle.binary_cross_entropy_with_logits, x, t, (weight, pos_weight))
    assert_close(value, expected)


def test_smooth_l1_without_a_parabola_is_l1(executor):
    x, t = random_array((5, 7)), random_array((5, 7), seed=1)
    x[0, :3] = t[0, 0], np.nan, np.inf
    arrays = [executor.array(x), executor.array(t)]
    for smooth, absolute in (
        (ops.smooth_l1_loss_forward, ops.l1_loss_forward),
        (ops.smooth_l1_loss_backward, ops.l1_loss_backward),
    ):
        values = smooth(*arrays, beta=0, reduction="none"), absolute(*arrays, reduction="none")
        assert np.array_equal(*map(executor.numpy, values), equal_nan=True)


def test_the_line_of_smooth_l1_is_as_long_as_the_numbers(executor):
    x = np.array([3e38, -3e38, 1e30, np.inf], np.float32)
    value = ops.smooth_l1_loss_forward(
        executor.array(x), executor.array(np.zeros_like(x)), beta=5, reduction="none"
    )
    assert_close(executor.numpy(value), np.abs(x))


X = np.full((2, 3), 0.5, np.float32)


@bad_calls(
    (
        "list",
        lambda: ops.mse_loss_forward([1.0], X),
        TypeError,
        "prediction must be a NumPy or CuPy array, got list",
    ),
    (
        "shapes",
        lambda: ops.l1_loss_forward(X, X[:1]),
        ValueError,
        "target must have shape (2, 3), that of prediction",
    ),
    ("dtypes", lambda: ops.huber_loss_backward(X, X.astype("f8")), TypeError, "target float64"),
    (
        "labels",
        lambda: ops.binary_cross_entropy_forward(X, X.astype(int)),
        TypeError,
        "target must be float16",
    ),
    (
        "reduction",
        lambda: ops.mse_loss_forward(X, X, reduction="avg"),
        ValueError,
        "reduction must be one of 'none'",
    ),
    ("batchmean", lambda: nn.MSELoss(reduction="batchmean"), ValueError, "MSELoss: reduction must be one of"),
    (
        "beta",
        lambda: nn.SmoothL1Loss(beta=-1),
        ValueError,
        "beta must be a finite number in [0, inf], got -1",
    ),
    ("delta", lambda: nn.HuberLoss(delta=0), ValueError, "HuberLoss: delta must be above 0, got 0"),
    (
        "log_target",
        lambda: nn.KLDivLoss(log_target="yes"),
        ValueError,
        "log_target must be one of False, True",
    ),
    ("weight", lambda: nn.BCELoss(weight=[1.0]), TypeError, "weight must be a NumPy or CuPy array, got list"),
    (
        "weight shape",
        lambda: nn.BCELoss(weight=X[0, :2])(X, X),
        ValueError,
        "weight must broadcast to the shape of prediction (2, 3), got (2,)",
    ),
    (
        "probabilities",
        lambda: ops.binary_cross_entropy_forward(X + 1, X),
        ValueError,
        "prediction must be in [0, 1], got 1.5",
    ),
    (
        "gradient",
        lambda: ops.mse_loss_backward(X, X, X),
        ValueError,
        "gradient must have shape (), that of the value, got (2, 3)",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

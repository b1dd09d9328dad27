"""Group normalisation: any rank, one to C groups, every gradient, every dtype."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles.group_norm import group_norm as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

CASES = [
    ((2, 4), 2),
    ((33, 31), 1),
    ((3, 6, 7), 6),
    ((2, 32, 11, 3), 8),
    ((1, 33, 4, 5), 3),
    ((2, 4, 3, 2, 2), 2),
]


def make(shape, dtype=np.float64):
    return random_array(shape, dtype, seed=1), *(
        random_array(shape[1:2], dtype, seed=seed) for seed in (2, 3)
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "groups"), CASES, ids=str)
def test_forward(executor, shape, groups, dtype):
    x, weight, bias = make(shape, dtype)
    arrays = [executor.array(a) for a in (x, weight, bias)]
    y, mean, rstd = ops.group_norm_forward(arrays[0], groups, *arrays[1:], eps=0.01)
    kind = np.float64 if dtype == np.float64 else np.float32
    assert (y.dtype, mean.dtype, rstd.dtype) == (dtype, kind, kind)
    values = x.astype(np.float64).reshape(shape[0], groups, -1)
    assert_close(executor.numpy(y), oracle(x, groups, weight, bias, 0.01))
    assert_close(executor.numpy(mean), values.mean(2))
    assert_close(executor.numpy(rstd), 1 / np.sqrt(values.var(2) + 0.01))
    assert_close(executor.numpy(ops.group_norm_forward(arrays[0], groups)[0]), oracle(x, groups))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "groups"), [((3, 4), 2), ((2, 3, 4), 1), ((2, 4, 3, 2), 4)])
def test_backward_is_the_gradient(executor, shape, groups, affine):
    x, weight, bias = make(shape)
    dy = random_array(shape, seed=4)
    weight = weight if affine else None
    x_, dy_, weight_ = (None if a is None else executor.array(a) for a in (x, dy, weight))
    _, mean, rstd = ops.group_norm_forward(x_, groups, weight_, eps=0.01)
    gradients = ops.group_norm_backward(dy_, x_, mean, rstd, weight_)
    weight = weight if affine else np.ones(bias.shape)
    for actual, function, at in zip(
        gradients,
        (
            lambda v: oracle(v, groups, weight, bias, 0.01),
            lambda v: oracle(x, groups, v, bias, 0.01),
            lambda v: oracle(x, groups, weight, v, 0.01),
        ),
        (x, weight, bias),
        strict=True,
    ):
        expected = numerical_gradient(function, at, dy)
        assert_close(executor.numpy(actual), expected, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "groups"), [((3, 8, 33, 7), 2), ((1, 4, 401, 400), 2)], ids=str)
def test_backward_in_every_dtype(executor, shape, groups, dtype):
    x, weight, _ = make(shape, dtype)
    dy = random_array(shape, dtype, seed=4)
    wide = [a.astype(np.float64) for a in (dy, x, weight)]
    with gpudl.use_backend("cpu"):
        _, mean64, rstd64 = ops.group_norm_forward(wide[1], groups, wide[2])
        expected = ops.group_norm_backward(*wide[:2], mean64, rstd64, wide[2])
    dy_, x_, weight_ = (executor.array(a) for a in (dy, x, weight))
    _, mean, rstd = ops.group_norm_forward(x_, groups, weight_)
    for mine, theirs in zip(ops.group_norm_backward(dy_, x_, mean, rstd, weight_), expected, strict=True):
        assert mine.dtype == dtype
        assert_close(executor.numpy(mine), theirs)


@pytest.mark.parametrize("wanted", range(8))
def test_gradients_that_are_not_wanted_are_none(executor, wanted):
    names = ("input_gradient", "weight_gradient", "bias_gradient")
    flags = {name: bool(wanted >> i & 1) for i, name in enumerate(names)}
    x, weight, _ = map(executor.array, make((3, 4, 5)))
    dy = executor.array(random_array((3, 4, 5), seed=4))
    _, mean, rstd = ops.group_norm_forward(x, 2, weight)
    whole = ops.group_norm_backward(dy, x, mean, rstd, weight)
    some = ops.group_norm_backward(dy, x, mean, rstd, weight, **flags)
    for flag, expected, actual in zip(flags.values(), whole, some, strict=True):
        assert (actual is not None) == flag
        assert actual is None or executor.numpy(actual).tobytes() == executor.numpy(expected).tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(5, 6), (4, 6, 5), (2, 6, 3, 2)], ids=str)
def test_any_memory_layout(executor, shape, layout):
    x, weight, bias = (executor.array(with_layout(a, layout)) for a in make(shape))
    dy = executor.array(with_layout(random_array(shape, seed=4), layout))
    with unmodified(x, dy, weight, bias):
        y, mean, rstd = ops.group_norm_forward(x, 2, weight, bias)
        dx, _, _ = ops.group_norm_backward(dy, x, mean, rstd, weight)
    x_, dy_, w_, b_ = (executor.numpy(a) for a in (x, dy, weight, bias))
    assert_close(executor.numpy(y), oracle(x_, 2, w_, b_))
    expected = numerical_gradient(lambda v: oracle(v, 2, w_, b_), np.array(x_), dy_)
    assert_close(executor.numpy(dx), expected, tolerance=FINITE_DIFFERENCE)
    assert np.moveaxis(executor.numpy(y), 1, -1).flags.c_contiguous


@given(
    samples=st.integers(0, 9), groups=st.integers(1, 5), size=st.integers(2, 5),
    inner=st.lists(st.integers(0, 20), max_size=2),
)  # fmt: skip
def test_shapes(samples, groups, size, inner):
    x, weight, bias = make((samples, groups * size, *inner), np.float32)
    y, mean, rstd = ops.group_norm_forward(x, groups, weight, bias, eps=0.1)
    if x.size:
        assert_close(y, oracle(x, groups, weight, bias, 0.1))
    dx, dweight, dbias = ops.group_norm_backward(x, x, mean, rstd, weight)
    assert (y.shape, dx.shape) == (x.shape, x.shape)
    assert x.size or not (dweight.any() or dbias.any())


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 4, 0)], ids=str)
def test_empty(executor, shape):
    x, weight = executor.array(np.zeros(shape, np.float32)), executor.array(np.ones(4, np.float32))
    y, mean, rstd = ops.group_norm_forward(x, 2, weight)
    dx, dweight, dbias = ops.group_norm_backward(x, x, mean, rstd, weight)
    assert y.shape == dx.shape == shape
    assert not dweight.any()
    assert not dbias.any()


def test_variance_does_not_cancel_far_from_zero(executor):
    x = (np.random.default_rng(0).standard_normal((3, 4, 4000)) + 1e4).astype(np.float32)
    _, _, rstd = ops.group_norm_forward(executor.array(x), 2)
    expected = 1 / np.sqrt(x.astype(np.float64).reshape(3, 2, -1).var(2) + 1e-5)
    assert_close(executor.numpy(rstd), expected)


def test_nan_and_infinity_stay_in_their_group(executor):
    x = random_array((3, 4, 5))
    x[1, 1, 2], x[2, 3, 0] = np.nan, np.inf
    y = executor.numpy(ops.group_norm_forward(executor.array(x), 2)[0])
    assert np.isnan(y[1, :2]).all()
    assert np.isnan(y[2, 3, 0])
    assert np.isfinite(y[0]).all()
    assert np.isfinite(y[1, 2:]).all()
    assert np.isfinite(y[2, :2]).all()


def test_same_bits_for_any_thread_count():
    x, weight, bias = make((170, 12, 31, 17), np.float32)
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        y, mean, rstd = ops.group_norm_forward(x, 3, weight, bias)
        parts = (y, mean, rstd, *ops.group_norm_backward(y, x, mean, rstd, weight))
        results.add(b"".join(part.tobytes() for part in parts))
    gpudl.set_num_threads(before)
    assert len(results) == 1


def test_out():
    x, weight, bias = make((2, 4, 3, 5))
    out = np.zeros(x.shape)
    assert ops.group_norm_forward(x, 2, weight, bias, out=out)[0] is out
    assert_close(out, oracle(x, 2, weight, bias))


def test_layer_arguments():
    layer = nn.GroupNorm(2, 4, bias=False, dtype="float16")
    assert list(layer.state_dict()) == ["weight"]
    assert layer.weight.dtype == np.float16
    assert repr(layer) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=False)"
    assert not nn.GroupNorm(2, 4, affine=False).state_dict()
    layer.weight.data[...] = 3
    layer.reset_parameters()
    assert (layer.weight.data == 1).all()


def test_layer_skips_what_is_frozen_or_not_wanted():
    layer = nn.GroupNorm(1, 3)
    layer.weight.requires_grad = layer.input_requires_grad = False
    x = random_array((5, 3), np.float32)
    layer(x)
    assert layer.backward(x) is None
    assert layer.weight.grad is None
    assert_close(layer.bias.grad, x.sum(0))


@pytest.mark.torch
@pytest.mark.parametrize("arguments", [{}, {"bias": False}, {"affine": False}, {"eps": 0.1}], ids=str)
@pytest.mark.parametrize(
    ("groups", "shape"), [(2, (3, 6)), (3, (2, 6, 5)), (6, (2, 6, 4, 5)), (1, (2, 6, 2, 3, 2))]
)
def test_against_pytorch(groups, shape, arguments):
    torch = pytest.importorskip("torch")
    ours = nn.GroupNorm(groups, 6, **arguments, dtype=np.float64)
    theirs = torch.nn.GroupNorm(groups, 6, **arguments, dtype=torch.float64)
    start = {key: random_array(value.shape, seed=9) for key, value in ours.state_dict().items()}
    ours.load_state_dict(start)
    theirs.load_state_dict({key: torch.from_numpy(value) for key, value in start.items()})
    x, dy = random_array(shape), random_array(shape, seed=1)
    tx = torch.from_numpy(x).requires_grad_()
    ty = theirs(tx)
    ty.backward(torch.from_numpy(dy))
    assert_close(ours(x), ty.detach().numpy())
    # Gradients are what is left of terms that cancel; both sum in float64 in orders of their own.
    assert_close(ours.backward(dy), tx.grad.numpy(), tolerance=(1e-10, 1e-11))
    for mine, value in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(mine.grad, value.grad.numpy(), tolerance=(1e-10, 1e-11))


X, V, S = np.ones((2, 4, 3), np.float32), np.ones(4, np.float32), np.ones((2, 2), np.float32)


@bad_calls(
    (
        "affine",
        lambda: nn.GroupNorm(1, 3, affine="no"),
        TypeError,
        "GroupNorm: affine must be a bool, got str",
    ),
    ("layer bias", lambda: nn.GroupNorm(1, 3, bias=0), TypeError, "GroupNorm: bias must be a bool, got int"),
    (
        "list",
        lambda: ops.group_norm_forward([1.0], 1),
        TypeError,
        "x must be a NumPy or CuPy array, got list",
    ),
    ("rank", lambda: ops.group_norm_forward(V, 1), ValueError, "x must have shape (N, C, ...), got (4,)"),
    ("groups", lambda: ops.group_norm_forward(X, 3), ValueError, "must be divisible by num_groups, got 3"),
    ("no groups", lambda: ops.group_norm_forward(X, 0), ValueError, "num_groups must be at least 1, got 0"),
    ("float", lambda: ops.group_norm_forward(X, 2.0), TypeError, "num_groups must be an int, got float"),
    (
        "one value",
        lambda: ops.group_norm_forward(X[:1, :, 0], 4),
        ValueError,
        "expected more than 1 value per group",
    ),
    ("weight", lambda: ops.group_norm_forward(X, 2, V[:2]), ValueError, "weight must have shape (4,)"),
    ("bias", lambda: ops.group_norm_forward(X, 2, V, V[:2]), ValueError, "bias must have shape (4,)"),
    ("eps", lambda: ops.group_norm_forward(X, 2, eps=-1), ValueError, "eps must be a finite number"),
    ("out", lambda: ops.group_norm_forward(X, 2, out=X), ValueError, "out must not share memory with x"),
    (
        "dy",
        lambda: ops.group_norm_backward(X[:1], X, S, S),
        ValueError,
        "dy must have shape (2, 4, 3), that of x",
    ),
    (
        "mean rank",
        lambda: ops.group_norm_backward(X, X, V, S),
        ValueError,
        "mean must have shape (N, G), got (4,)",
    ),
    ("mean groups", lambda: ops.group_norm_backward(X, X, np.ones((2, 3), "f4"), S), ValueError, "divisible"),
    (
        "rstd",
        lambda: ops.group_norm_backward(X, X, S, S[:1]),
        ValueError,
        "rstd must have shape (2, 2), (N, G)",
    ),
    ("dtype", lambda: ops.group_norm_backward(X, X, S.astype("f8"), S), TypeError, "mean must be float32"),
    (
        "back weight",
        lambda: ops.group_norm_backward(X, X, S, S, V[:1]),
        ValueError,
        "weight must have shape (4,)",
    ),
    (
        "flag",
        lambda: ops.group_norm_backward(X, X, S, S, weight_gradient=0),
        TypeError,
        "weight_gradient must be a bool, got int",
    ),
    (
        "layer groups",
        lambda: nn.GroupNorm(0, 4),
        ValueError,
        "GroupNorm: num_groups must be at least 1, got 0",
    ),
    (
        "layer channels",
        lambda: nn.GroupNorm(3, 4),
        ValueError,
        "num_channels must be divisible by num_groups, got 4",
    ),
    ("layer eps", lambda: nn.GroupNorm(2, 4, eps=None), TypeError, "GroupNorm: eps must be a number"),
    (
        "layer input",
        lambda: nn.GroupNorm(2, 8)(X),
        ValueError,
        "x must have shape (N, 8, ...), got (2, 4, 3)",
    ),
    ("backward first", lambda: nn.GroupNorm(2, 4).backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

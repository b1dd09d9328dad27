"""Layer normalisation: any number of axes, every gradient, every dtype."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles.layer_norm import layer_norm as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

CASES = [
    ((1,), 1),
    ((33, 31), 1),
    ((2, 3, 32), 1),
    ((3, 4, 5), 2),
    ((2, 3, 4, 5), 3),
    ((3, 7), 2),
    ((2, 70_001), 1),
]


def make(shape, axes, dtype=np.float64):
    inner = shape[len(shape) - axes :]
    return random_array(shape, dtype, seed=1), *(random_array(inner, dtype, seed=seed) for seed in (2, 3))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "axes"), CASES, ids=str)
def test_forward(executor, shape, axes, dtype):
    x, weight, bias = make(shape, axes, dtype)
    arrays = [executor.array(a) for a in (x, weight, bias)]
    y, mean, rstd = ops.layer_norm_forward(arrays[0], weight.shape, *arrays[1:], eps=0.01)
    kind = np.float64 if dtype == np.float64 else np.float32
    assert (y.dtype, mean.dtype, rstd.dtype) == (dtype, kind, kind)
    inner = tuple(range(x.ndim - axes, x.ndim))
    assert_close(executor.numpy(y), oracle(x, axes, weight, bias, 0.01))
    assert_close(executor.numpy(mean), x.astype(np.float64).mean(inner), tolerance=(1e-5, 1e-6))
    assert_close(executor.numpy(rstd), 1 / np.sqrt(x.astype(np.float64).var(inner) + 0.01))
    assert_close(executor.numpy(ops.layer_norm_forward(arrays[0], weight.shape)[0]), oracle(x, axes))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "axes"), [((4, 3), 1), ((2, 3, 2), 2), ((5,), 1)])
def test_backward_is_the_gradient(executor, shape, axes, affine):
    x, weight, bias = make(shape, axes)
    dy = random_array(shape, seed=4)
    weight = weight if affine else None
    x_, dy_, weight_ = (None if a is None else executor.array(a) for a in (x, dy, weight))
    _, mean, rstd = ops.layer_norm_forward(x_, bias.shape, weight_, eps=0.01)
    gradients = ops.layer_norm_backward(dy_, x_, mean, rstd, weight_)
    weight = weight if affine else np.ones(bias.shape)
    for actual, function, at in zip(
        gradients,
        (
            lambda v: oracle(v, axes, weight, bias, 0.01),
            lambda v: oracle(x, axes, v, bias, 0.01),
            lambda v: oracle(x, axes, weight, v, 0.01),
        ),
        (x, weight, bias),
        strict=True,
    ):
        expected = numerical_gradient(function, at, dy)
        assert_close(executor.numpy(actual), expected, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(65, 33), (2000, 40), (3, 17_001)], ids=str)
def test_backward_in_every_dtype(executor, shape, dtype):
    x, weight, _ = make(shape, 1, dtype)
    dy = random_array(x.shape, dtype, seed=4)
    wide = [a.astype(np.float64) for a in (dy, x, weight)]
    with gpudl.use_backend("cpu"):
        _, mean64, rstd64 = ops.layer_norm_forward(wide[1], shape[1], wide[2])
        expected = ops.layer_norm_backward(*wide[:2], mean64, rstd64, wide[2])
    dy_, x_, weight_ = (executor.array(a) for a in (dy, x, weight))
    _, mean, rstd = ops.layer_norm_forward(x_, shape[1], weight_)
    for mine, theirs in zip(ops.layer_norm_backward(dy_, x_, mean, rstd, weight_), expected, strict=True):
        assert mine.dtype == dtype
        assert_close(executor.numpy(mine), theirs)


@pytest.mark.parametrize("wanted", range(8))
def test_gradients_that_are_not_wanted_are_none(executor, wanted):
    names = ("input_gradient", "weight_gradient", "bias_gradient")
    flags = {name: bool(wanted >> i & 1) for i, name in enumerate(names)}
    x, weight, _ = map(executor.array, make((3, 4), 1))
    dy = executor.array(random_array((3, 4), seed=4))
    _, mean, rstd = ops.layer_norm_forward(x, 4, weight)
    whole = ops.layer_norm_backward(dy, x, mean, rstd, weight)
    some = ops.layer_norm_backward(dy, x, mean, rstd, weight, **flags)
    for flag, expected, actual in zip(flags.values(), whole, some, strict=True):
        assert (actual is not None) == flag
        assert actual is None or executor.numpy(actual).tobytes() == executor.numpy(expected).tobytes()


def test_empty(executor):
    x, weight = executor.array(np.zeros((0, 5), np.float32)), executor.array(np.ones(5, np.float32))
    y, mean, rstd = ops.layer_norm_forward(x, 5, weight)
    dx, dweight, dbias = ops.layer_norm_backward(x, x, mean, rstd, weight)
    assert (y.shape, mean.shape, dx.shape) == ((0, 5), (0,), (0, 5))
    assert not dweight.any()
    assert not dbias.any()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "axes"), [((5, 3), 1), ((4, 3, 5), 1), ((2, 3, 4, 5), 3)])
def test_any_memory_layout(executor, shape, axes, layout):
    x, weight, bias = (executor.array(with_layout(a, layout)) for a in make(shape, axes))
    dy = executor.array(with_layout(random_array(shape, seed=4), layout))
    with unmodified(x, dy, weight, bias):
        y, mean, rstd = ops.layer_norm_forward(x, weight.shape, weight, bias)
        dx, _, _ = ops.layer_norm_backward(dy, x, mean, rstd, weight)
    x_, dy_, w_, b_ = (executor.numpy(a) for a in (x, dy, weight, bias))
    assert_close(executor.numpy(y), oracle(x_, axes, w_, b_))
    expected = numerical_gradient(lambda v: oracle(v, axes, w_, b_), np.array(x_), dy_)
    assert_close(executor.numpy(dx), expected, tolerance=FINITE_DIFFERENCE)


@given(shape=st.lists(st.integers(0, 40), min_size=1, max_size=3), axes=st.integers(1, 3))
def test_shapes(shape, axes):
    axes = min(axes, len(shape))
    shape = [extent + 1 if i >= len(shape) - axes else extent for i, extent in enumerate(shape)]
    x, weight, bias = make(tuple(shape), axes, np.float32)
    y, mean, rstd = ops.layer_norm_forward(x, weight.shape, weight, bias, eps=0.1)
    assert_close(y, oracle(x, axes, weight, bias, 0.1))
    dx, dweight, dbias = ops.layer_norm_backward(x, x, mean, rstd, weight)
    assert (dx.shape, dweight.shape, dbias.shape) == (x.shape, weight.shape, weight.shape)
    assert x.size or not (dweight.any() or dbias.any())


def test_variance_does_not_cancel_far_from_zero(executor):
    x = (np.random.default_rng(0).standard_normal((7, 4000)) + 1e4).astype(np.float32)
    _, _, rstd = ops.layer_norm_forward(executor.array(x), 4000)
    assert_close(executor.numpy(rstd), 1 / np.sqrt(x.astype(np.float64).var(1) + 1e-5))


def test_nan_and_infinity_stay_in_their_row(executor):
    x = random_array((4, 5))
    x[1, 2], x[2, 0] = np.nan, np.inf
    y = executor.numpy(ops.layer_norm_forward(executor.array(x), 5)[0])
    assert np.isnan(y[1]).all()
    assert np.isnan(y[2, 0])
    assert np.isfinite(y[[0, 3]]).all()


def test_same_bits_for_any_thread_count():
    x, weight, bias = make((11_003, 97), 1, np.float32)
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        y, mean, rstd = ops.layer_norm_forward(x, 97, weight, bias)
        parts = (y, mean, rstd, *ops.layer_norm_backward(y, x, mean, rstd, weight))
        results.add(b"".join(part.tobytes() for part in parts))
    gpudl.set_num_threads(before)
    assert len(results) == 1


def test_out():
    x, weight, bias = make((3, 4, 5), 1)
    wide = np.zeros((3, 4, 10))
    assert ops.layer_norm_forward(x, 5, weight, bias, out=wide[..., ::2])[0].base is wide
    assert_close(wide[..., ::2], oracle(x, 1, weight, bias))
    assert not wide[..., 1::2].any()


def test_layer_arguments():
    layer = nn.LayerNorm([3, 4], bias=False, dtype="float16")
    assert list(layer.state_dict()) == ["weight"]
    assert (layer.weight.shape, layer.weight.dtype) == ((3, 4), np.float16)
    assert repr(layer) == "LayerNorm((3, 4), eps=1e-05, elementwise_affine=True, bias=False)"
    assert not nn.LayerNorm(3, elementwise_affine=False).state_dict()
    layer.weight.data[...] = 3
    layer.reset_parameters()
    assert (layer.weight.data == 1).all()


def test_layer_skips_what_is_frozen_or_not_wanted():
    layer = nn.LayerNorm(3)
    layer.weight.requires_grad = layer.input_requires_grad = False
    x = random_array((5, 3), np.float32)
    layer(x)
    assert layer.backward(x) is None
    assert layer.weight.grad is None
    assert_close(layer.bias.grad, x.sum(0))


@pytest.mark.torch
@pytest.mark.parametrize(
    "arguments", [{}, {"bias": False}, {"elementwise_affine": False}, {"eps": 0.1}], ids=str
)
@pytest.mark.parametrize(("inner", "shape"), [(5, (3, 5)), ((4, 5), (2, 3, 4, 5)), ((3, 7), (3, 7))])
def test_against_pytorch(inner, shape, arguments):
    torch = pytest.importorskip("torch")
    ours = nn.LayerNorm(inner, **arguments, dtype=np.float64)
    theirs = torch.nn.LayerNorm(inner, **arguments, dtype=torch.float64)
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


X, V, R = np.ones((2, 3), np.float32), np.ones(3, np.float32), np.ones(2, np.float32)


@bad_calls(
    (
        "affine",
        lambda: nn.LayerNorm(3, elementwise_affine="no"),
        TypeError,
        "elementwise_affine must be a bool, got str",
    ),
    ("layer bias", lambda: nn.LayerNorm(3, bias=0), TypeError, "LayerNorm: bias must be a bool, got int"),
    (
        "list",
        lambda: ops.layer_norm_forward([1.0], 1),
        TypeError,
        "x must be a NumPy or CuPy array, got list",
    ),
    (
        "shape",
        lambda: ops.layer_norm_forward(X, 2),
        ValueError,
        "x must end in normalized_shape (2,), got (2, 3)",
    ),
    (
        "too many",
        lambda: ops.layer_norm_forward(V, (1, 3)),
        ValueError,
        "x must end in normalized_shape (1, 3)",
    ),
    (
        "no axes",
        lambda: ops.layer_norm_forward(X, ()),
        ValueError,
        "normalized_shape must have at least one extent",
    ),
    ("zero", lambda: ops.layer_norm_forward(X, 0), ValueError, "normalized_shape must be at least 1, got 0"),
    (
        "float",
        lambda: ops.layer_norm_forward(X, 3.0),
        TypeError,
        "normalized_shape must be an int, got float",
    ),
    (
        "weight",
        lambda: ops.layer_norm_forward(X, 3, R),
        ValueError,
        "weight must have shape (3,), normalized_shape",
    ),
    ("bias", lambda: ops.layer_norm_forward(X, 3, V, R), ValueError, "bias must have shape (3,)"),
    ("eps", lambda: ops.layer_norm_forward(X, 3, eps=-1), ValueError, "eps must be a finite number"),
    ("out", lambda: ops.layer_norm_forward(X, 3, out=X), ValueError, "out must not share memory with x"),
    ("dy", lambda: ops.layer_norm_backward(V, X, R, R), ValueError, "dy must have shape (2, 3), that of x"),
    (
        "mean",
        lambda: ops.layer_norm_backward(X, X, V, R),
        ValueError,
        "mean must have shape (2,), the leading axes",
    ),
    (
        "mean rank",
        lambda: ops.layer_norm_backward(X, X, X, R),
        ValueError,
        "mean must have fewer axes than x",
    ),
    ("rstd", lambda: ops.layer_norm_backward(X, X, R, R.astype("f8")), TypeError, "rstd must be float32"),
    (
        "back weight",
        lambda: ops.layer_norm_backward(X, X, R, R, R),
        ValueError,
        "weight must have shape (3,)",
    ),
    (
        "flag",
        lambda: ops.layer_norm_backward(X, X, R, R, weight_gradient="yes"),
        TypeError,
        "weight_gradient must be a bool, got str",
    ),
    (
        "layer shape",
        lambda: nn.LayerNorm((3, 0)),
        ValueError,
        "LayerNorm: normalized_shape must be at least 1, got 0",
    ),
    ("layer eps", lambda: nn.LayerNorm(3, eps=-1.0), ValueError, "LayerNorm: eps must be"),
    (
        "layer input",
        lambda: nn.LayerNorm(4)(X),
        ValueError,
        "x must end in normalized_shape (4,), got (2, 3)",
    ),
    ("backward first", lambda: nn.LayerNorm(3).backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

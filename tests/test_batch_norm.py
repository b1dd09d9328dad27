"""Batch normalisation: statistics, tracking, both modes, every gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles import batch_norm as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

SHAPES = [(2, 1), (33, 31), (5, 3, 7), (1, 2, 1, 2), (3, 32, 4, 5), (2, 33, 11, 1), (2, 3, 2, 2, 2)]
NONE = {"input_gradient": False, "weight_gradient": False, "bias_gradient": False}


def make(shape, dtype=np.float64):
    x = random_array(shape, dtype, seed=1)
    weight, bias = (random_array((shape[1],), dtype, seed=seed) for seed in (2, 3))
    return x, weight, bias


def running(channels, dtype):
    kind = np.float64 if dtype == np.float64 else np.float32
    return random_array((channels,), kind, seed=4), np.abs(random_array((channels,), kind, seed=5)) + 0.5


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward(executor, shape, dtype):
    x, weight, bias = make(shape, dtype)
    arrays = [executor.array(a) for a in (x, weight, bias)]
    y, mean, rstd = ops.batch_norm_forward(*arrays, eps=0.01)
    expected_mean, expected_var = oracle.statistics(x)
    assert y.dtype == dtype
    assert mean.dtype == rstd.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert_close(executor.numpy(y), oracle.batch_norm(x, weight, bias, 0.01))
    assert_close(executor.numpy(mean), expected_mean)
    assert_close(executor.numpy(rstd), 1 / np.sqrt(expected_var + 0.01))
    assert_close(executor.numpy(ops.batch_norm_forward(arrays[0])[0]), oracle.batch_norm(x), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_inference(executor, dtype):
    x, weight, bias = make((3, 7, 5, 2), dtype)
    mean, variance = running(7, dtype)
    arrays = [executor.array(a) for a in (x, mean, variance, weight, bias)]
    y = ops.batch_norm_inference(*arrays, eps=0.1)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), oracle.normalise(x, mean, variance, weight, bias, 0.1))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 2, 3, 2)], ids=str)
def test_backward_is_the_gradient(executor, shape, affine):
    x, weight, bias = make(shape)
    if not affine:
        weight = bias = None
    dy = random_array(shape, seed=6)
    x_, dy_, weight_ = (None if a is None else executor.array(a) for a in (x, dy, weight))
    _, mean, rstd = ops.batch_norm_forward(x_, weight_, eps=0.01)
    dx, dweight, dbias = ops.batch_norm_backward(dy_, x_, mean, rstd, weight_)
    ones, zeros = np.ones(shape[1]), np.zeros(shape[1])
    weight, bias = (ones, zeros) if weight is None else (weight, bias)
    for actual, function, at in (
        (dx, lambda v: oracle.batch_norm(v, weight, bias, 0.01), x),
        (dweight, lambda v: oracle.batch_norm(x, v, bias, 0.01), weight),
        (dbias, lambda v: oracle.batch_norm(x, weight, v, 0.01), bias),
    ):
        expected = numerical_gradient(function, at, dy)
        assert_close(executor.numpy(actual), expected, tolerance=FINITE_DIFFERENCE)


def test_inference_backward_is_the_gradient(executor):
    x, weight, bias = make((3, 2, 4))
    mean, variance = running(2, x.dtype)
    dy = random_array(x.shape, seed=6)
    arrays = [executor.array(a) for a in (dy, x, mean, variance, weight)]
    gradients = ops.batch_norm_inference_backward(*arrays, eps=0.1)
    for actual, function, at in zip(
        gradients,
        (
            lambda v: oracle.normalise(v, mean, variance, weight, bias, 0.1),
            lambda v: oracle.normalise(x, mean, variance, v, bias, 0.1),
            lambda v: oracle.normalise(x, mean, variance, weight, v, 0.1),
        ),
        (x, weight, bias),
        strict=True,
    ):
        expected = numerical_gradient(function, at, dy)
        assert_close(executor.numpy(actual), expected, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_backward_in_every_dtype(executor, shape, dtype):
    x, weight, _ = make(shape, dtype)
    dy = random_array(shape, dtype, seed=6)
    wide = [a.astype(np.float64) for a in (dy, x, weight)]
    with gpudl.use_backend("cpu"):
        _, mean64, rstd64 = ops.batch_norm_forward(*wide[1:], eps=0.1)
        expected = ops.batch_norm_backward(*wide[:2], mean64, rstd64, wide[2])
    dy_, x_, weight_ = (executor.array(a) for a in (dy, x, weight))
    _, mean, rstd = ops.batch_norm_forward(x_, weight_, eps=0.1)
    for actual, theirs in zip(ops.batch_norm_backward(dy_, x_, mean, rstd, weight_), expected, strict=True):
        mine = executor.numpy(actual)
        assert mine.dtype == dtype
        # dx of two values cancels to eps of its terms, which are as large as dy * weight * rstd.
        scale = np.abs(wide[0]).max() * np.abs(wide[2]).max() * rstd64.max()
        allowed = {2: 2e-3, 4: 5e-6, 8: 1e-13}[dtype.itemsize] * (8 if dtype.name == "bfloat16" else 1)
        assert np.abs(mine.astype(np.float64) - theirs).max() <= allowed * max(scale, np.abs(theirs).max())


@pytest.mark.parametrize("wanted", range(8))
def test_gradients_that_are_not_wanted_are_none(executor, wanted):
    flags = {name: bool(wanted >> i & 1) for i, name in enumerate(NONE)}
    x, weight, dy = (
        executor.array(random_array(shape, seed=seed)) for seed, shape in enumerate(((3, 4, 2), 4, (3, 4, 2)))
    )
    _, mean, rstd = ops.batch_norm_forward(x, weight)
    for backward, statistics in (
        (ops.batch_norm_backward, (mean, rstd)),
        (ops.batch_norm_inference_backward, map(executor.array, running(4, np.float64))),
    ):
        statistics = tuple(statistics)
        whole = backward(dy, x, *statistics, weight)
        some = backward(dy, x, *statistics, weight, **flags)
        for flag, expected, actual in zip(flags.values(), whole, some, strict=True):
            assert (actual is not None) == flag
            assert actual is None or executor.numpy(actual).tobytes() == executor.numpy(expected).tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 5), (2, 3, 4, 5)], ids=str)
def test_any_memory_layout(executor, shape, layout):
    x, dy = (executor.array(with_layout(random_array(shape, seed=seed), layout)) for seed in (1, 2))
    weight = executor.array(with_layout(random_array(shape[1:2], seed=3), layout))
    with unmodified(x, dy, weight):
        y, mean, rstd = ops.batch_norm_forward(x, weight, eps=0.1)
        dx, _, _ = ops.batch_norm_backward(dy, x, mean, rstd, weight)
    x_, w_, dy_ = (executor.numpy(a) for a in (x, weight, dy))
    # Where all rows are alike y and dx are 0, and what is left is rounding: the errors are absolute.
    assert np.abs(executor.numpy(y) - oracle.batch_norm(x_, w_, eps=0.1)).max() <= 1e-13
    expected = numerical_gradient(lambda v: oracle.batch_norm(v, w_, eps=0.1), np.array(x_), dy_)
    assert np.abs(executor.numpy(dx) - expected).max() <= 1e-7
    assert np.moveaxis(executor.numpy(y), 1, -1).flags.c_contiguous


@given(shape=st.lists(st.integers(1, 9), min_size=2, max_size=4), large=st.booleans())
def test_shapes(shape, large):
    shape = (shape[0] + 1, shape[1], *(extent * (13 if large else 1) for extent in shape[2:]))
    x = random_array(shape, np.float32)
    y, _, _ = ops.batch_norm_forward(x)
    assert_close(y, oracle.batch_norm(x))


@pytest.mark.parametrize("shape", [(600_011, 1), (40_001, 16), (3, 9000), (1031, 63, 9)], ids=str)
def test_many_blocks_and_a_rest(executor, shape):
    x = random_array(shape, np.float32) * np.float32(3) + np.float32(1)
    x_ = executor.array(x)
    _, mean, rstd = ops.batch_norm_forward(x_)
    axes = (0, *range(2, x.ndim))
    wide = x.astype(np.float64)
    assert_close(executor.numpy(mean), wide.mean(axes))
    assert_close(executor.numpy(rstd), 1 / np.sqrt(wide.var(axes) + 1e-5))
    dy = random_array(shape, np.float32, seed=1)
    dx, _, dbias = ops.batch_norm_backward(executor.array(dy), x_, mean, rstd)
    assert_close(executor.numpy(dbias), dy.astype(np.float64).sum(axes))
    with gpudl.use_backend("cpu"):
        expected = ops.batch_norm_backward(
            dy.astype(np.float64), wide, wide.mean(axes), 1 / np.sqrt(wide.var(axes) + 1e-5)
        )[0]
    # With three rows dx is what is left when its terms cancel.
    assert_close(executor.numpy(dx), expected, tolerance=(1e-3, 1e-4))


def test_variance_does_not_cancel_far_from_zero(executor):
    x = (np.random.default_rng(0).standard_normal((4000, 5)) + 1e4).astype(np.float32)
    _, variance = oracle.statistics(x)
    running_mean, running_var = (executor.array(np.zeros(5, np.float32)) for _ in range(2))
    y, _, rstd = ops.batch_norm_forward(
        executor.array(x), None, None, running_mean, running_var, momentum=1.0
    )
    assert_close(executor.numpy(rstd), 1 / np.sqrt(variance + 1e-5))
    assert_close(executor.numpy(running_var), variance * 4000 / 3999)
    # x itself is a multiple of 2^-10 here: x * scale + shift rounds as coarsely.
    assert np.abs(executor.numpy(y) - oracle.batch_norm(x)).max() <= 2e-3


def test_squares_of_deviations_are_in_range_where_those_of_the_values_are_not(executor):
    x = ((np.random.default_rng(0).standard_normal((900, 4)) + 100) * 3e17).astype(np.float32)
    _, variance = oracle.statistics(x)
    _, _, rstd = ops.batch_norm_forward(executor.array(x))
    assert_close(executor.numpy(rstd) * 3e17, 3e17 / np.sqrt(variance), np.float32)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("mean", [0.5, 3.9, 4.1, 40.0])
def test_sums_lose_nothing_whatever_the_mean(executor, mean, scale):
    """On NumPy they are of x, not of x - mean, up to 4 standard deviations, of all channels and of some blocks."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((70_001, 5)) for _ in range(2))
    x[:, 1] += mean
    x[60_000:, 2] += mean
    x, dy = (x * scale).astype(np.float32), dy.astype(np.float32)
    _, variance = oracle.statistics(x)
    _, average, rstd = ops.batch_norm_forward(executor.array(x), eps=0.0)
    assert_close(executor.numpy(rstd) * scale, scale / np.sqrt(variance), np.float32)
    _, dweight, _ = ops.batch_norm_backward(executor.array(dy), executor.array(x), average, rstd)
    expected = (dy.astype(np.float64) * oracle.batch_norm(x, eps=0.0)).sum(0)
    assert_close(executor.numpy(dweight), expected, np.float32)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_variance_of_values_with_one_far_away(executor, dtype):
    """The value that others could be measured from is the outlier."""
    x = random_array((700, 3), dtype)
    x[0] = 300
    _, variance = oracle.statistics(x)
    _, _, rstd = ops.batch_norm_forward(executor.array(x), eps=0.0)
    assert_close(executor.numpy(rstd), 1 / np.sqrt(variance))


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.7, 1.0, None])
def test_running_statistics(executor, momentum):
    mean, variance = executor.array(np.zeros(3)), executor.array(np.ones(3))
    batches = executor.array(np.zeros((), np.int64))
    expected_mean, expected_var = np.zeros(3), np.ones(3)
    for step in range(1, 5):
        x = random_array((4, 3, 2), seed=step, scale=step)
        ops.batch_norm_forward(executor.array(x), None, None, mean, variance, batches, momentum=momentum)
        share = 1 / step if momentum is None else momentum
        new_mean, new_var = oracle.statistics(x)
        expected_mean = (1 - share) * expected_mean + share * new_mean
        expected_var = (1 - share) * expected_var + share * new_var * 8 / 7
        assert_close(executor.numpy(mean), expected_mean)
        assert_close(executor.numpy(variance), expected_var)
        assert int(batches) == step


def test_running_statistics_may_be_strided(executor):
    x = random_array((4, 3))
    memory = executor.array(np.zeros((2, 6)))
    ops.batch_norm_forward(executor.array(x), None, None, memory[0, ::2], memory[1, ::2], momentum=1.0)
    mean, variance = oracle.statistics(x)
    memory = executor.numpy(memory)
    assert_close(memory[0, ::2], mean)
    assert_close(memory[1, ::2], variance * 4 / 3)
    assert not memory[:, 1::2].any()


def test_nan_and_infinity_stay_in_their_channel(executor):
    x = random_array((3, 4, 5))
    x[1, 1, 2], x[0, 2, 0] = np.nan, np.inf
    statistics = [executor.array(np.zeros(4)) for _ in range(2)]
    y, _, _ = ops.batch_norm_forward(executor.array(x), None, None, *statistics, momentum=1.0)
    y = executor.numpy(y)
    assert np.isnan(y[:, 1]).all()
    assert np.isnan(y[0, 2, 0])
    assert np.isfinite(y[:, [0, 3]]).all()
    running_mean, running_var = (executor.numpy(array) for array in statistics)
    assert np.array_equal(running_mean[1:3], [np.nan, np.inf], equal_nan=True)
    assert np.isnan(running_var[1:3]).all()


def test_an_empty_batch(executor):
    x, weight = executor.array(np.zeros((0, 3, 4, 5), np.float32)), executor.array(np.ones(3, np.float32))
    statistics = [executor.array(array) for array in running(3, np.float32)]
    assert ops.batch_norm_inference(x, *statistics, weight).shape == x.shape
    dx, dweight, dbias = ops.batch_norm_inference_backward(x, x, *statistics, weight)
    assert dx.shape == x.shape
    assert not dweight.any()
    assert not dbias.any()
    empty = ops.batch_norm_backward(x, x, *statistics, weight)
    assert not empty[1].any()
    assert not empty[2].any()


@pytest.mark.parametrize("momentum", [0.3, None])
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 5), (2, 3, 0)], ids=str)
def test_training_on_an_empty_batch_counts_it_and_learns_nothing(executor, shape, momentum):
    layer = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(3, momentum=momentum)
    layer.running_mean[...], layer.running_var[...] = 4, 7
    x = executor.array(np.zeros(shape, np.float32))
    assert layer(x).shape == shape
    assert layer.backward(x).shape == shape
    assert not layer.weight.grad.any()
    assert not layer.bias.grad.any()
    assert (layer.running_mean == 4).all()
    assert (layer.running_var == 7).all()
    assert layer.num_batches_tracked == 1


def test_same_bits_for_any_thread_count():
    x, weight, bias = make((1100, 19, 31), np.float32)
    dy = random_array(x.shape, np.float32, seed=6)
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        y, mean, rstd = ops.batch_norm_forward(x, weight, bias)
        parts = (y, mean, rstd, *ops.batch_norm_backward(dy, x, mean, rstd, weight))
        results.add(b"".join(part.tobytes() for part in parts))
    gpudl.set_num_threads(before)
    assert len(results) == 1


def test_out():
    x, weight, bias = make((2, 3, 4, 5))
    out = np.zeros(x.shape)
    y, _, _ = ops.batch_norm_forward(x, weight, bias, out=out)
    assert y is out
    assert_close(out, oracle.batch_norm(x, weight, bias))
    last = np.zeros((2, 4, 5, 3)).transpose(0, 3, 1, 2)
    statistics = running(3, x.dtype)
    assert ops.batch_norm_inference(x, *statistics, out=last) is last
    assert_close(last, oracle.normalise(x, *statistics))


# ---- layers


def test_layer_state():
    assert list(nn.BatchNorm2d(3).state_dict()) == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    ]  # fmt: skip
    assert next(iter(nn.BatchNorm1d(3, affine=False).state_dict())) == "running_mean"
    assert list(nn.BatchNorm1d(3, track_running_stats=False).state_dict()) == ["weight", "bias"]
    assert list(nn.BatchNorm1d(3, bias=False, track_running_stats=False).state_dict()) == ["weight"]
    layer = nn.BatchNorm2d(3, dtype="bfloat16")
    assert layer.weight.dtype == gpudl.ops._arrays.bfloat16
    assert layer.running_var.dtype == np.float32
    assert layer.num_batches_tracked.dtype == np.int64


def test_conversion_keeps_running_statistics_in_float32():
    model = nn.Sequential(nn.BatchNorm1d(3))
    model.to(np.float16)
    assert (model[0].weight.dtype, model[0].running_mean.dtype) == (np.float16, np.float32)
    model(np.ones((4, 3), np.float16))
    model.to(np.float64)
    assert (model[0].weight.dtype, model[0].running_mean.dtype) == (np.float64, np.float64)
    assert model[0].num_batches_tracked == 1


@pytest.mark.parametrize("tracking", [True, False])
def test_layer_in_eval_mode(tracking):
    layer = nn.BatchNorm1d(3, track_running_stats=tracking, dtype=np.float64)
    x, dy = random_array((5, 3), scale=3.0), random_array((5, 3), seed=1)
    layer(x)
    layer.eval()
    before = {name: array.copy() for name, array in layer.state_dict().items()}
    function = oracle.batch_norm
    if tracking:

        def function(v):
            return oracle.normalise(v, before["running_mean"], before["running_var"])

    assert_close(layer(x), function(x))
    expected = numerical_gradient(function, x, dy)
    assert_close(layer.backward(dy), expected, tolerance=FINITE_DIFFERENCE)
    assert layer.weight.grad is not None
    assert all((layer.state_dict()[name] == array).all() for name, array in before.items())


def test_layer_skips_what_is_frozen_or_not_wanted():
    layer = nn.BatchNorm1d(3)
    layer.weight.requires_grad = layer.input_requires_grad = False
    x = random_array((5, 3), np.float32)
    layer(x)
    assert layer.backward(x) is None
    assert layer.weight.grad is None
    assert_close(layer.bias.grad, x.sum(0))


def test_layer_reset():
    layer = nn.BatchNorm2d(2)
    layer.weight.data[...] = layer.bias.data[...] = 5
    layer(random_array((3, 2, 2, 2), np.float32))
    layer.reset_parameters()
    state = layer.state_dict()
    assert (state["weight"] == 1).all()
    assert (state["running_var"] == 1).all()
    assert not any(state[name].any() for name in ("bias", "running_mean", "num_batches_tracked"))
    assert repr(layer) == (
        "BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    )


@pytest.mark.torch
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"momentum": None}, {"affine": False}, {"bias": False}, {"track_running_stats": False},
     {"eps": 0.1, "momentum": 0.4}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(("name", "shape"), [("BatchNorm1d", (5, 7)), ("BatchNorm1d", (3, 7, 5)),
                                             ("BatchNorm2d", (3, 7, 4, 5))])  # fmt: skip
def test_several_steps_against_pytorch(name, shape, arguments, training):
    torch = pytest.importorskip("torch")
    ours = getattr(nn, name)(7, **arguments, dtype=np.float64).train(training)
    theirs = getattr(torch.nn, name)(7, **arguments, dtype=torch.float64).train(training)
    start = {
        key: np.abs(random_array(value.shape, seed=9))
        for key, value in ours.state_dict().items()
        if value.ndim
    }
    ours.load_state_dict(start, strict=False)
    theirs.load_state_dict({key: torch.from_numpy(value) for key, value in start.items()}, strict=False)
    for step in range(3):
        x, dy = random_array(shape, seed=step, scale=step + 1.0), random_array(shape, seed=7)
        tx = torch.from_numpy(x).requires_grad_()
        ty = theirs(tx)
        ty.backward(torch.from_numpy(dy))
        # Both sum in float64 in orders of their own, over inputs that grow with the steps.
        assert_close(ours(x), ty.detach().numpy(), tolerance=(1e-10, 1e-11))
        assert_close(ours.backward(dy), tx.grad.numpy(), tolerance=(1e-10, 1e-11))
    for (key, mine), (their_key, value) in zip(
        ours.state_dict().items(), theirs.state_dict().items(), strict=True
    ):
        assert key == their_key
        assert_close(mine, value.numpy(), np.float64, where=key)
    for mine, value in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(mine.grad, value.grad.numpy(), tolerance=(1e-10, 1e-11))


X, V, W = np.ones((2, 3, 4), np.float32), np.ones(3, np.float32), np.ones(2, np.float32)
COUNT = np.zeros((), np.int64)


def read_only():
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    return array


@bad_calls(
    ("affine", lambda: nn.BatchNorm2d(3, affine="no"), TypeError, "BatchNorm2d: affine must be a bool, got str"),
    ("tracking", lambda: nn.BatchNorm1d(3, track_running_stats=None), TypeError, "track_running_stats must be a bool"),
    ("layer bias", lambda: nn.BatchNorm1d(3, bias=0), TypeError, "BatchNorm1d: bias must be a bool, got int"),
    ("list", lambda: ops.batch_norm_forward([1.0]), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("rank", lambda: ops.batch_norm_forward(V), ValueError, "x must have shape (N, C, ...), got (3,)"),
    ("weight", lambda: ops.batch_norm_forward(X, W), ValueError, "weight must have shape (3,)"),
    ("bias", lambda: ops.batch_norm_forward(X, V, W), ValueError, "bias must have shape (3,)"),
    ("dtypes", lambda: ops.batch_norm_forward(X, V.astype("f8")), TypeError, "weight float64"),
    ("one value", lambda: ops.batch_norm_forward(X[:1, :, :1]), ValueError, "expected more than 1 value per channel"),
    ("one of two", lambda: ops.batch_norm_forward(X, V, V, V), ValueError, "go together, got running_var None"),
    (
        "running dtype",
        lambda: ops.batch_norm_forward(X, None, None, V.astype("f8"), V.astype("f8")),
        TypeError,
        "running_mean must be float32 for x float32, got float64",
    ),
    (
        "running shape",
        lambda: ops.batch_norm_forward(X, None, None, W, W),
        ValueError,
        "running_mean must have shape (3,)",
    ),
    (
        "read-only",
        lambda: ops.batch_norm_forward(X, None, None, read_only(), V.copy()),
        ValueError,
        "running_mean is updated in place and must be writeable",
    ),
    (
        "count alone",
        lambda: ops.batch_norm_forward(X, None, None, None, None, COUNT),
        ValueError,
        "num_batches_tracked counts updates of running_mean",
    ),
    (
        "count dtype",
        lambda: ops.batch_norm_forward(X, None, None, V.copy(), V.copy(), np.zeros((), np.int32)),
        TypeError,
        "num_batches_tracked must be int64, got int32",
    ),
    (
        "count missing",
        lambda: ops.batch_norm_forward(X, None, None, V.copy(), V.copy(), momentum=None),
        ValueError,
        "momentum None needs num_batches_tracked",
    ),
    ("momentum", lambda: ops.batch_norm_forward(X, momentum=1.5), ValueError, "momentum must be a finite number in"),
    ("eps", lambda: ops.batch_norm_forward(X, eps=-1.0), ValueError, "eps must be a finite number in"),
    ("out", lambda: ops.batch_norm_forward(X, out=X), ValueError, "out must not share memory with x"),
    (
        "no statistics",
        lambda: ops.batch_norm_inference(X, None, V),
        TypeError,
        "running_mean must be a NumPy or CuPy array, got NoneType",
    ),
    ("inference eps", lambda: ops.batch_norm_inference(X, V, V, eps="a"), TypeError, "eps must be a number"),
    ("dy", lambda: ops.batch_norm_backward(X[:1], X, V, V), ValueError, "dy must have shape (2, 3, 4)"),
    ("mean", lambda: ops.batch_norm_backward(X, X, W, V), ValueError, "mean must have shape (3,)"),
    (
        "flag",
        lambda: ops.batch_norm_backward(X, X, V, V, input_gradient=1),
        TypeError,
        "input_gradient must be a bool, got int",
    ),
    (
        "inference flag",
        lambda: ops.batch_norm_inference_backward(X, X, V, V, bias_gradient=None),
        TypeError,
        "bias_gradient must be a bool, got NoneType",
    ),
    ("features", lambda: nn.BatchNorm1d(0), ValueError, "BatchNorm1d: num_features must be at least 1, got 0"),
    ("layer momentum", lambda: nn.BatchNorm2d(3, momentum=2), ValueError, "BatchNorm2d: momentum"),
    ("layer eps", lambda: nn.BatchNorm2d(3, eps=None), TypeError, "BatchNorm2d: eps must be a number"),
    ("layer dtype", lambda: nn.BatchNorm2d(3, dtype=int), TypeError, "dtype must be float16"),
    ("layer rank 2d", lambda: nn.BatchNorm2d(3)(X), ValueError, "x must have shape (N, C, H, W), got (2, 3, 4)"),
    ("layer rank 1d", lambda: nn.BatchNorm1d(3)(V), ValueError, "(N, C) or (N, C, L), got (3,)"),
    ("layer channels", lambda: nn.BatchNorm1d(4)(X), ValueError, "must have 4 channels on axis 1, got (2, 3, 4)"),
    ("backward first", lambda: nn.BatchNorm1d(3).backward(X), RuntimeError, "backward without a forward"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_refused_call_changes_nothing():
    mean, variance, count = np.zeros(3, np.float32), np.ones(3, np.float32), np.zeros((), np.int64)
    with pytest.raises(ValueError, match="out must have shape"):
        ops.batch_norm_forward(X, None, None, mean, variance, count, out=X[:1].copy())
    assert not mean.any()
    assert count == 0

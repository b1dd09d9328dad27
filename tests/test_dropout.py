"""Dropout of elements and channels, and Gaussian noise: the very numbers, in every dtype, shape and layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.oracles import dropout as oracle
from tests.support.tolerances import DTYPES, assert_close

SHAPES = [
    (),
    (0,),
    (1,),
    (33,),
    (3, 31),
    (2, 3, 5),
    (2, 3, 5, 7),
    (0, 3, 4, 4),
    (2, 0, 3, 3),
    (2, 1, 2, 3, 2),
]
CHANNEL_SHAPES = [(2, 3, 5), (3, 31, 2, 3), (0, 3, 4, 4), (2, 3, 0), (1, 33, 1, 1)]
NUMBERS = {"seed": 2**40 + 5, "stream": 7}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("p", [0, 0.1, 0.5, 0.999, 1])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dropout(executor, shape, p, dtype):
    x = np.asarray(random_array(shape), dtype)
    expected = oracle.dropout(x, p, **NUMBERS)
    y = ops.dropout_forward(executor.array(x), p=p, **NUMBERS)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), expected)
    assert_close(executor.numpy(ops.dropout_backward(executor.array(x), p=p, **NUMBERS)), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("p", [0, 0.3, 1])
@pytest.mark.parametrize("shape", CHANNEL_SHAPES, ids=str)
def test_dropout2d(executor, shape, p, dtype):
    x = np.asarray(random_array(shape), dtype)
    expected = oracle.dropout2d(x, p, **NUMBERS)
    y = ops.dropout2d_forward(executor.array(x), p=p, **NUMBERS)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), expected)
    assert_close(executor.numpy(ops.dropout2d_backward(executor.array(x), p=p, **NUMBERS)), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gaussian_noise(executor, shape, dtype):
    x = np.asarray(random_array(shape), dtype)
    y = ops.gaussian_noise_forward(executor.array(x), std=0.3, **NUMBERS)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), oracle.gaussian_noise(x, 0.3, **NUMBERS))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(executor, layout):
    for shape in [(3, 4, 5, 6), (3, 4, 5), (7, 9)]:
        x = with_layout(random_array(shape, np.float32), layout)
        with unmodified(x):
            given_x = executor.array(x)
            y = executor.numpy(ops.dropout_forward(given_x, p=0.4, **NUMBERS))
            noisy = executor.numpy(ops.gaussian_noise_forward(given_x, std=2, **NUMBERS))
        assert_close(y, oracle.dropout(x, 0.4, **NUMBERS))
        assert_close(noisy, oracle.gaussian_noise(x, 2, **NUMBERS))
        if x.ndim > 2:
            assert_close(
                executor.numpy(ops.dropout2d_forward(given_x, p=0.4, **NUMBERS)),
                oracle.dropout2d(x, 0.4, **NUMBERS),
            )


@given(
    shape=st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple),
    p=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**64 - 1),
)
def test_any_shape_and_probability(shape, p, seed, stream):
    x = random_array(shape)
    numbers = {"seed": seed, "stream": stream}
    assert_close(ops.dropout_forward(x, p=p, **numbers), oracle.dropout(x, p, **numbers))
    if len(shape) > 2:
        assert_close(ops.dropout2d_forward(x, p=p, **numbers), oracle.dropout2d(x, p, **numbers))


def test_dropped_share_and_mean():
    x = np.ones(1_000_000, np.float32)
    y = ops.dropout_forward(x, p=0.3, seed=1, stream=2)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs((y == 0).mean() - 0.3) < 5 * np.sqrt(0.21 / 1e6)  # five standard errors


def test_special_values_are_those_of_a_product():
    x = np.array([np.nan, np.inf, -np.inf, -1.0] * 8)
    assert_close(ops.dropout_forward(x, p=0.5, **NUMBERS), _product(x))
    assert np.isnan(ops.dropout_forward(x, p=1, **NUMBERS)[:3]).all()


def _product(x):
    with np.errstate(invalid="ignore"):
        return oracle.dropout(x, 0.5, **NUMBERS)


def test_thread_count_does_not_change_bits():
    x = random_array((7, 20, 50, 51), np.float32)
    calls = [
        lambda: ops.dropout_forward(x, p=0.2, **NUMBERS),
        lambda: ops.dropout2d_forward(x, p=0.2, **NUMBERS),
        lambda: ops.gaussian_noise_forward(x, std=0.2, **NUMBERS),
    ]
    before = gpudl.get_num_threads()
    for call in calls:
        expected = call().tobytes()
        for threads in (1, 3):
            gpudl.set_num_threads(threads)
            assert call().tobytes() == expected
        gpudl.set_num_threads(before)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided"])
def test_out_may_be_the_input(layout):
    for call, expected in [
        (
            lambda x: ops.dropout_forward(x, p=0.5, out=x, **NUMBERS),
            lambda x: oracle.dropout(x, 0.5, **NUMBERS),
        ),
        (
            lambda x: ops.dropout2d_forward(x, p=0.5, out=x, **NUMBERS),
            lambda x: oracle.dropout2d(x, 0.5, **NUMBERS),
        ),
        (
            lambda x: ops.gaussian_noise_forward(x, std=1, out=x, **NUMBERS),
            lambda x: oracle.gaussian_noise(x, 1, **NUMBERS),
        ),
    ]:
        x = with_layout(random_array((2, 3, 5, 4)), layout)
        wanted = expected(x)
        assert call(x) is x
        assert_close(x, wanted)


@pytest.mark.parametrize("layer_class", [nn.Dropout, nn.Dropout2d])
def test_layers_take_a_fresh_stream_at_every_training_forward(layer_class):
    op = oracle.dropout if layer_class is nn.Dropout else oracle.dropout2d
    layer = layer_class(p=0.4)
    x, dy = random_array((3, 4, 5, 6)), random_array((3, 4, 5, 6), seed=1)
    gpudl.manual_seed(11)
    for stream in range(3):
        assert_close(layer(x), op(x, 0.4, 11, stream))
        assert_close(layer.backward(dy), op(dy, 0.4, 11, stream))
    layer.eval()
    assert layer(x) is x
    assert layer.backward(dy) is dy
    layer.train()
    assert_close(layer(x), op(x, 0.4, 11, 3))  # evaluation took no stream
    layer.input_requires_grad = False
    assert layer.backward(dy) is None
    assert layer_class(p=0)(x) is x


@pytest.mark.parametrize("layer_class", [nn.Dropout, nn.Dropout2d])
def test_layers_in_place(layer_class):
    x, dy = random_array((3, 4, 5, 6)), random_array((3, 4, 5, 6), seed=1)
    gpudl.manual_seed(11)
    expected = layer_class(p=0.4)(x)
    gpudl.manual_seed(11)
    layer = layer_class(p=0.4, inplace=True)
    assert layer(x) is x
    assert np.array_equal(x, expected)
    with unmodified(dy):
        layer.backward(dy)
    assert repr(layer) == f"{layer_class.__name__}(p=0.4, inplace=True)"


@pytest.mark.parametrize("layer_class", [nn.Dropout, nn.Dropout2d])
def test_backward_belongs_to_the_last_forward_that_worked(layer_class):
    layer, ones = layer_class(p=0.5), np.ones((8, 9, 2), np.float32)
    y = layer(ones)
    assert_refuses(lambda: layer(ones.astype(int)), TypeError, "x must be float16")
    assert np.array_equal(layer.backward(ones), y)


def test_gaussian_noise_layer():
    layer = nn.GaussianNoise(0.5)
    x = random_array((3, 4))
    gpudl.manual_seed(3)
    assert_close(layer(x), oracle.gaussian_noise(x, 0.5, 3, 0))
    assert_close(layer(x), oracle.gaussian_noise(x, 0.5, 3, 1))
    assert layer.backward(x) is x
    assert layer.eval()(x) is x
    assert nn.GaussianNoise(0)(x) is x
    assert repr(layer) == "GaussianNoise(std=0.5)"


X = np.ones((2, 3), np.float32)
SEEDS = {"seed": 0, "stream": 0}


@bad_calls(
    (
        "list",
        lambda: ops.dropout_forward([1.0], p=0.5, **SEEDS),
        TypeError,
        "x must be a NumPy or CuPy array, got list",
    ),
    (
        "integers",
        lambda: ops.dropout_backward(X.astype(int), p=0.5, **SEEDS),
        TypeError,
        "dy must be float16",
    ),
    (
        "p",
        lambda: ops.dropout_forward(X, p=1.5, **SEEDS),
        ValueError,
        "p must be a finite number in [0, 1], got 1.5",
    ),
    (
        "p NaN",
        lambda: ops.dropout_forward(X, p=np.nan, **SEEDS),
        ValueError,
        "p must be a finite number in [0, 1]",
    ),
    ("p text", lambda: ops.dropout_forward(X, p="0.5", **SEEDS), TypeError, "p must be a number, got str"),
    (
        "seed",
        lambda: ops.dropout_forward(X, p=0.5, seed=-1, stream=0),
        ValueError,
        "seed must be at least 0, got -1",
    ),
    (
        "out",
        lambda: ops.dropout_forward(X, p=0.5, out=X[:1], **SEEDS),
        ValueError,
        "out must have shape (2, 3)",
    ),
    (
        "rank",
        lambda: ops.dropout2d_forward(X, p=0.5, **SEEDS),
        ValueError,
        "(N, C, H, W) or (N, C, L), got (2, 3)",
    ),
    (
        "std",
        lambda: ops.gaussian_noise_forward(X, std=-1, **SEEDS),
        ValueError,
        "std must be a finite number in [0,",
    ),
    (
        "layer p",
        lambda: nn.Dropout(-0.1),
        ValueError,
        "Dropout: p must be a finite number in [0, 1], got -0.1",
    ),
    (
        "layer inplace",
        lambda: nn.Dropout2d(inplace=1),
        TypeError,
        "Dropout2d: inplace must be a bool, got int",
    ),
    (
        "layer std",
        lambda: nn.GaussianNoise(-1),
        ValueError,
        "GaussianNoise: std must be a finite number in [0,",
    ),
    ("backward first", lambda: nn.Dropout().backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


@pytest.mark.torch
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_edges_agree_with_pytorch(p):
    torch = pytest.importorskip("torch")
    x = np.array([1.0, -2.0, np.inf, np.nan])
    assert_close(nn.Dropout(p)(x), torch.nn.Dropout(p)(torch.from_numpy(x)).numpy())

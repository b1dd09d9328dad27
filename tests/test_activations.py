"""Activations: values and slopes with every number away from its default, in every dtype, shape and layout."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.oracles import activations as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close


@dataclasses.dataclass
class Kind:
    stem: str
    layer: type
    saves: str
    numbers: dict = dataclasses.field(default_factory=dict)
    inplace: bool = False

    def expected(self, x):
        x = np.asarray(x, np.float64)
        y = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            y[index] = getattr(oracle, self.stem)(float(x[index]), **self.numbers)
        return y

    def slope(self, x, step=1e-6):
        """By central differences; all elements at once, as none sees another."""
        return (self.expected(x + step) - self.expected(x - step)) / (2 * step)

    def forward(self, x, **options):
        return getattr(ops, f"{self.stem}_forward")(x, **self.numbers, **options)

    def backward(self, dy, x, y, **options):
        return getattr(ops, f"{self.stem}_backward")(
            dy, y if self.saves == "y" else x, **self.numbers, **options
        )


KINDS = [
    Kind("leaky_relu", nn.LeakyReLU, "x", inplace=True),
    Kind("leaky_relu", nn.LeakyReLU, "x", {"negative_slope": 0.3}, inplace=True),
    Kind("leaky_relu", nn.LeakyReLU, "x", {"negative_slope": -0.5}),
    Kind("elu", nn.ELU, "y", inplace=True),
    Kind("elu", nn.ELU, "y", {"alpha": 0.4}, inplace=True),
    Kind("gelu", nn.GELU, "x"),
    Kind("gelu", nn.GELU, "x", {"approximate": "tanh"}),
    Kind("silu", nn.SiLU, "x", inplace=True),
    Kind("hardswish", nn.Hardswish, "x", inplace=True),
    Kind("relu6", nn.ReLU6, "y", inplace=True),
    Kind("sigmoid", nn.Sigmoid, "y"),
    Kind("tanh", nn.Tanh, "y"),
    Kind("softplus", nn.Softplus, "x"),
    Kind("softplus", nn.Softplus, "x", {"beta": 2.5, "threshold": 3.0}),
    Kind("softplus", nn.Softplus, "x", {"threshold": -1.5}),
]
every_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=[f"{kind.stem}-{kind.numbers or 'plain'}" for kind in KINDS]
)
SHAPES = [(), (0,), (1,), (33,), (3, 31), (2, 3, 5), (2, 3, 5, 7), (0, 3, 4, 4), (2, 1, 2, 3, 2)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_kind
def test_both_directions(executor, kind, dtype):
    for shape in SHAPES:
        x, dy = random_array(shape, scale=3), random_array(shape, seed=1)
        x, dy = np.asarray(x, dtype), np.asarray(dy, dtype)
        given_x = executor.array(x)
        y = kind.forward(given_x)
        dx = kind.backward(executor.array(dy), given_x, y)
        assert y.dtype == dx.dtype == dtype
        assert_close(executor.numpy(y), kind.expected(x))
        if dtype == np.float64:
            assert_close(executor.numpy(dx), kind.slope(x) * dy, tolerance=FINITE_DIFFERENCE)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != np.float64], ids=str)
@every_kind
def test_slopes_in_every_dtype_agree_with_float64(executor, kind, dtype):
    x, dy = random_array((7, 33), dtype, scale=3), random_array((7, 33), dtype, seed=1)
    y = executor.numpy(kind.forward(executor.array(x)))
    dx = executor.numpy(kind.backward(executor.array(dy), executor.array(x), executor.array(y)))
    exact = kind.backward(*(np.asarray(array, np.float64) for array in (dy, x, y)))
    assert_close(dx, exact)


@pytest.mark.parametrize("layout", LAYOUTS)
@every_kind
def test_layouts(executor, kind, layout):
    x = with_layout(random_array((3, 4, 5, 6), np.float32), layout)
    dy = with_layout(random_array((3, 4, 5, 6), np.float32, seed=1), "strided")
    with unmodified(x, dy):
        given_x = executor.array(x)
        y = kind.forward(given_x)
        dx = executor.numpy(kind.backward(executor.array(dy), given_x, y))
    assert_close(executor.numpy(y), kind.expected(x))
    plain = [np.ascontiguousarray(array) for array in (dy, x, executor.numpy(y))]
    assert np.array_equal(dx, kind.backward(*plain))


@every_kind
@given(shape=st.lists(st.integers(0, 5), max_size=5).map(tuple))
def test_any_shape(kind, shape):
    x = np.asarray(random_array(shape, scale=4))
    y = kind.forward(x)
    assert_close(y, kind.expected(x))
    assert kind.backward(x, x, y).shape == shape


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided"])
@every_kind
def test_out_may_be_the_input(kind, layout):
    x = with_layout(random_array((2, 3, 5, 4)), layout)
    before = x.copy()
    assert kind.forward(x, out=x) is x
    assert_close(x, kind.expected(before))
    dy = with_layout(random_array((2, 3, 5, 4), seed=1), layout)
    expected = kind.backward(dy.copy(), before, x)
    assert kind.backward(dy, before, x, out=dy) is dy
    assert np.array_equal(dy, expected)


@every_kind
def test_thread_count_does_not_change_bits(kind):
    x = random_array((3, 200_001), np.float32, scale=4)
    before = gpudl.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        y = kind.forward(x)
        results.append((y.tobytes(), kind.backward(x, x, y).tobytes()))
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@every_kind
def test_layers(kind):
    x, dy = random_array((3, 4), scale=3), random_array((3, 4), seed=1)
    layer = kind.layer(**kind.numbers)
    assert gpudl.check_gradient(layer, x)
    y = layer(x)
    assert_close(y, kind.expected(x))
    dx = layer.backward(dy)
    layer.input_requires_grad = False
    layer(x)
    assert layer.backward(dy) is None
    assert_refuses(lambda: layer.backward(dy), RuntimeError, "backward without a forward")
    for name, value in kind.numbers.items():
        assert f"{name}={value!r}" in repr(layer)
    if kind.inplace:
        written = kind.layer(**kind.numbers, inplace=True)
        place = x.copy()
        assert written(place) is place
        assert np.array_equal(place, y)
        assert_close(written.backward(dy), dx)
        assert "inplace=True" in repr(written)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_keeps_its_tails(executor, dtype):
    """Relative error over 15 decades; 1e-5: exp multiplies the rounding of x^2 / 2, at most 32, in float32."""
    x = np.linspace(-8, 8, 4001).astype(dtype)
    expected = Kind("gelu", nn.GELU, "x").expected(x)
    error = np.abs(executor.numpy(ops.gelu_forward(executor.array(x))) - expected)
    assert (error <= (1e-5 if dtype == np.float32 else 2e-14) * np.abs(expected)).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_kind
def test_what_is_out_of_range_is_no_floating_point_error(kind, dtype):
    x = np.array([-1e4, -80, -12, 12, 80, 6e4]).astype(dtype)
    with np.errstate(all="raise"):
        y = kind.forward(x)
        kind.backward(x, x, y)


def test_softplus_is_x_itself_above_the_threshold(executor):
    x = np.array([3e38, np.inf, 41.3, -1.0], np.float32)  # 10 * 3e38 is beyond float32
    y = executor.numpy(ops.softplus_forward(executor.array(x), beta=10.0, threshold=-20.0))
    assert np.array_equal(y, x)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 100.0, -100.0, 1e4, -1e4, 6.0, 1e-30])


@pytest.mark.torch
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_kind
def test_pytorch_agrees(kind, dtype):
    torch = pytest.importorskip("torch")
    x = np.concatenate([SPECIAL, random_array((50,), scale=4)]).astype(dtype)
    tx = torch.from_numpy(x).requires_grad_()
    expected = getattr(torch.nn, kind.layer.__name__)(**kind.numbers)(tx)
    expected.sum().backward()
    layer = kind.layer(**kind.numbers)
    y = layer(x)
    wanted = expected.detach().numpy()
    where = np.isfinite(x) | np.isnan(x)  # PyTorch's gelu of inf differs between its own dtypes
    assert np.array_equal(np.isnan(y[where]), np.isnan(wanted[where]))
    # 3e-5: PyTorch's own tails of gelu cancel
    tolerance = (3e-5, 1e-6) if dtype == np.float32 else (1e-12, 1e-12)
    moderate = np.abs(np.nan_to_num(x, posinf=1e9, neginf=1e9)) < 1e3
    assert_close(y[moderate], wanted[moderate], tolerance=tolerance)
    finite = np.isfinite(x)
    assert_close(layer.backward(np.ones_like(x))[finite], tx.grad.numpy()[finite], tolerance=tolerance)


X = np.ones((2, 3), np.float32)


@bad_calls(
    ("list", lambda: ops.sigmoid_forward([1.0]), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("integers", lambda: ops.tanh_forward(X.astype(int)), TypeError, "x must be float16"),
    ("out", lambda: ops.silu_forward(X, out=X[:1]), ValueError, "out must have shape (2, 3)"),
    ("overlap", lambda: ops.gelu_forward(X, out=X[::-1]), ValueError, "out must not share memory with x"),
    (
        "y shape",
        lambda: ops.elu_backward(X, X[:1]),
        ValueError,
        "y must have shape (2, 3), that of dy, got (1, 3)",
    ),
    ("dtypes", lambda: ops.relu6_backward(X, X.astype("f8")), TypeError, "y float64"),
    ("slope", lambda: nn.LeakyReLU(np.nan), ValueError, "negative_slope must be a finite number"),
    (
        "slope in place",
        lambda: nn.LeakyReLU(-1, inplace=True),
        ValueError,
        "must be at least 0 with inplace=True",
    ),
    ("alpha", lambda: nn.ELU(-1), ValueError, "ELU: alpha must be a finite number in [0"),
    (
        "approximate",
        lambda: nn.GELU("erf"),
        ValueError,
        "approximate must be one of 'none', 'tanh', got 'erf'",
    ),
    ("beta", lambda: nn.Softplus(0), ValueError, "Softplus: beta must be above 0, got 0"),
    (
        "threshold",
        lambda: ops.softplus_forward(X, threshold="20"),
        TypeError,
        "threshold must be a number, got str",
    ),
    ("inplace", lambda: nn.Hardswish(inplace=1), TypeError, "Hardswish: inplace must be a bool, got int"),
    ("backward first", lambda: nn.Tanh().backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

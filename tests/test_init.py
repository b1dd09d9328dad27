"""Initialisation: the distribution each name promises, its arguments, and reproducibility."""

import math

import numpy as np
import pytest

import gpudl
from gpudl import init, nn
from gpudl.random import Generator
from tests.support.arrays import assert_refuses, bad_calls
from tests.support.tolerances import DTYPES

SHAPE = (64, 32, 3, 5)  # fan_in 480, fan_out 960


def drawn(function, *arguments, shape=SHAPE, **keywords):
    values = function(np.empty(shape), *arguments, **keywords, generator=Generator(1))
    return values


def assert_uniform(values, low, high):
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < values.max() <= high
    # Mean and deviation of n uniform draws stay within 5 standard errors.
    width, n = high - low, values.size
    assert abs(values.mean() - (low + high) / 2) < 5 * width / math.sqrt(12 * n)
    assert abs(values.std() - width / math.sqrt(12)) < 5 * width / math.sqrt(60 * n)


def assert_normal(values, mean, std):
    n = values.size
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(n)
    assert abs(values.std() - std) < 5 * std / math.sqrt(2 * n)
    assert 0.66 < (abs(values - mean) < std).mean() < 0.70


def test_uniform_and_normal():
    assert_uniform(drawn(init.uniform_, -2.0, 5.0), -2, 5)
    assert_normal(drawn(init.normal_, 3.0, 0.5), 3, 0.5)


def test_trunc_normal_stays_inside_and_keeps_its_shape():
    values = drawn(init.trunc_normal_, 1.0, 2.0, -1.0, 2.0)
    assert -1 <= values.min() < -0.99
    assert 1.99 < values.max() <= 2
    # N(1, 2^2) on [-1, 2]: mean 1 - 2 (phi(0.5) - phi(-1)) / (Phi(0.5) - Phi(-1)) = 0.5867
    assert abs(values.mean() - 0.5867) < 0.02


def test_kaiming():
    bound = math.sqrt(3) * math.sqrt(2) / math.sqrt(480)
    assert_uniform(drawn(init.kaiming_uniform_, nonlinearity="relu"), -bound, bound)
    bound = math.sqrt(3) * math.sqrt(2 / (1 + 5)) / math.sqrt(960)
    assert_uniform(drawn(init.kaiming_uniform_, math.sqrt(5), "fan_out"), -bound, bound)
    assert_normal(drawn(init.kaiming_normal_, mode="fan_out", nonlinearity="tanh"), 0, 5 / 3 / math.sqrt(960))


def test_xavier():
    bound = 2.0 * math.sqrt(6 / (480 + 960))
    assert_uniform(drawn(init.xavier_uniform_, 2.0), -bound, bound)
    assert_normal(drawn(init.xavier_normal_, 0.5), 0, 0.5 * math.sqrt(2 / (480 + 960)))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (6, 2, 2)])
def test_orthogonal(shape):
    flat = drawn(init.orthogonal_, 3.0, shape=shape).reshape(shape[0], -1)
    product = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-12)


def test_constants_act_on_parameters_too():
    parameter = nn.Parameter(np.zeros((2, 2), np.float32))
    assert init.ones_(parameter) is parameter
    assert (parameter.data == 1).all()
    assert (init.zeros_(parameter).data == 0).all()
    assert (init.constant_(parameter, 2.5).data == 2.5).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_starts_from_the_same_values(dtype):
    values = init.normal_(np.empty((50,), dtype), generator=Generator(4))
    expected = init.normal_(np.empty((50,)), generator=Generator(4)).astype(dtype)
    assert (values == expected).all()


def test_the_default_generator_is_used_and_restarts():
    gpudl.manual_seed(9)
    first, second = init.uniform_(np.empty(5)).copy(), init.uniform_(np.empty(5))
    assert not (first == second).any()
    gpudl.manual_seed(9)
    assert (init.uniform_(np.empty(5)) == first).all()


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [("linear", None, 1), ("conv2d", None, 1), ("tanh", None, 5 / 3), ("relu", None, 2**0.5), ("selu", None, 0.75),
     ("leaky_relu", None, math.sqrt(2 / 1.0001)), ("leaky_relu", 2.0, math.sqrt(2 / 5)), ("sigmoid", None, 1)],
)  # fmt: skip
def test_gain(name, param, gain):
    assert init.calculate_gain(name, param) == pytest.approx(gain, rel=1e-14)


@bad_calls(
    ("list", lambda: init.orthogonal_([[1.0]]), TypeError, "orthogonal_: tensor must be a NumPy or CuPy array, got list"),
    ("read-only", lambda: init.ones_(np.broadcast_to(1.0, (2, 2))), ValueError, "tensor must be writeable, got a read"),
    ("generator", lambda: init.normal_(np.zeros(2), generator=3), TypeError, "generator must be a gpudl.random.Generator"),
    ("fans", lambda: init.xavier_normal_(np.zeros(2)), ValueError, "xavier_normal_: tensor must have at least 2 axes"),
    ("uniform fans", lambda: init.xavier_uniform_(np.zeros(2)), ValueError, "xavier_uniform_: tensor must have at least"),
    ("kaiming fans", lambda: init.kaiming_uniform_(np.zeros(2)), ValueError, "kaiming_uniform_: tensor must have at"),
    ("value", lambda: init.constant_(np.zeros(2), "1"), TypeError, "constant_: val must be a number, got str"),
    ("integers", lambda: init.zeros_(np.zeros(2, int)), TypeError, "tensor must be float16"),
    ("bounds", lambda: init.uniform_(np.zeros(2), 2.0, 1.0), ValueError, "b must be a finite number in [2.0, inf]"),
    ("std", lambda: init.normal_(np.zeros(2), 0.0, -1.0), ValueError, "std must be a finite number in [0.0, inf]"),
    ("nan", lambda: init.normal_(np.zeros(2), float("nan")), ValueError, "mean must be a finite number"),
    ("no fans", lambda: init.kaiming_normal_(np.zeros(2)), ValueError, "at least 2 axes to have fans, got shape (2,)"),
    ("mode", lambda: init.kaiming_normal_(np.zeros((2, 2)), mode="in"), ValueError, "mode must be one of 'fan_in'"),
    ("gain name", lambda: init.calculate_gain("swish"), ValueError, "nonlinearity must be one of"),
    ("gain param", lambda: init.calculate_gain("relu", 0.1), ValueError, "param is for 'leaky_relu' only"),
    ("interval", lambda: init.trunc_normal_(np.zeros(2), a=2.0, b=1.0), ValueError, "expected std > 0 and a < b"),
    ("far", lambda: init.trunc_normal_(np.zeros(2), a=9.0, b=10.0), ValueError, "holds less than 0.01 %"),
    ("vector", lambda: init.orthogonal_(np.zeros(2)), ValueError, "orthogonal_: tensor must have at least 2 axes"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

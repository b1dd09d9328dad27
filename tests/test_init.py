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


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (4, 1), (0, 3)], ids=str)
def test_eye(shape):
    parameter = nn.Parameter(np.full(shape, 7, np.float32))
    assert init.eye_(parameter) is parameter
    expected = [float(i == j) for i in range(shape[0]) for j in range(shape[1])]
    np.testing.assert_array_equal(parameter.data, np.reshape(expected, shape))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [(3,), (3, 5), (1, 4), (3, 1, 2)], ids=str)
def test_dirac_hands_channels_on(kernel, groups):
    for filters, channels in ((4, 4), (4, 2), (6, 5), (2, 3), (0, 3)):
        shape = (filters, channels, *kernel)
        weight = init.dirac_(np.full(shape, 7.0), groups)
        expected = np.zeros(shape)
        each = filters // groups
        for group in range(groups):
            for channel in range(min(each, channels)):
                expected[(group * each + channel, channel, *(extent // 2 for extent in kernel))] = 1
        np.testing.assert_array_equal(weight, expected)


def test_a_convolution_of_dirac_is_the_identity():
    layer = nn.Conv2d(6, 6, 3, padding=1, bias=False, groups=3)
    init.dirac_(layer.weight, groups=3)
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x)


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_sparse_leaves_as_many_in_each_column(sparsity):
    values = drawn(init.sparse_, sparsity, 0.5, shape=(101, 300))
    zeros = math.ceil(sparsity * 101)
    assert ((values == 0).sum(axis=0) == zeros).all()
    if zeros < 60:  # and enough are left
        assert_normal(values[values != 0], 0, 0.5)
    if (
        0 < zeros < 101
    ):  # no row is preferred: each is among the zeros of a column as often, within 5 deviations
        share = zeros / 101
        spread = math.sqrt(300 * share * (1 - share))
        assert (abs((values == 0).sum(axis=1) - 300 * share) < 5 * spread).all()
        assert ((values[:, 0] == 0) != (values[:, 1] == 0)).any()
    assert drawn(init.sparse_, sparsity, shape=(101, 300)).std() < 0.011
    assert init.sparse_(np.zeros((0, 3)), sparsity).shape == (0, 3)


@pytest.mark.torch
def test_dirac_and_eye_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for shape, groups in (((6, 4, 3, 3), 3), ((4, 8, 4), 1), ((8, 2, 3, 2, 5), 2)):
        expected = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
        np.testing.assert_array_equal(init.dirac_(np.empty(shape), groups), expected)
    np.testing.assert_array_equal(init.eye_(np.empty((3, 5))), torch.nn.init.eye_(torch.empty(3, 5)).numpy())


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


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_too_small_for_a_dtype_are_no_floating_point_error(dtype):
    with np.errstate(all="raise"):
        init.normal_(np.empty(100, dtype), std=1e-7)


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
    ("eye", lambda: init.eye_(np.zeros((2, 2, 2))), ValueError, "eye_: tensor must have 2 axes, got shape (2, 2, 2)"),
    ("sparse", lambda: init.sparse_(np.zeros(3), 0.5), ValueError, "sparse_: tensor must have 2 axes, got shape (3,)"),
    ("sparsity", lambda: init.sparse_(np.zeros((3, 3)), 1.5), ValueError, "sparse_: sparsity must be a finite number in [0.0, 1.0]"),
    ("sparse std", lambda: init.sparse_(np.zeros((3, 3)), 0.5, -1.0), ValueError, "sparse_: std must be a finite number"),
    ("dirac axes", lambda: init.dirac_(np.zeros((3, 3))), ValueError, "dirac_: tensor must have 3, 4 or 5 axes, got shape (3, 3)"),
    ("dirac groups", lambda: init.dirac_(np.zeros((4, 3, 3)), 3), ValueError, "dirac_: groups must divide the 4 filters of tensor, got 3"),
    ("no groups", lambda: init.dirac_(np.zeros((4, 3, 3)), 0), ValueError, "dirac_: groups must be at least 1"),
    ("groups", lambda: init.dirac_(np.zeros((4, 3, 3)), 1.0), TypeError, "dirac_: groups must be an int"),
    ("vector", lambda: init.orthogonal_(np.zeros(2)), ValueError, "orthogonal_: tensor must have at least 2 axes"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

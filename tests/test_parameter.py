"""Parameter: data, gradient, and what is refused."""

import pickle

import numpy as np
import pytest

from gpudl import nn, ops, optim
from tests.support.arrays import assert_refuses, bad_calls


def make():
    return nn.Parameter(np.ones((2, 3), np.float32))


def test_starts_without_gradient():
    data = np.ones((2, 3), np.float32)
    parameter = nn.Parameter(data, requires_grad=False)
    assert parameter.data is data
    assert parameter.grad is None
    assert not parameter.requires_grad
    assert (parameter.shape, parameter.dtype, parameter.size) == ((2, 3), np.float32, 6)
    assert repr(parameter) == "Parameter(2, 3) float32, frozen"


def test_gradients_add_up():
    parameter = make()
    parameter.accumulate_grad(np.full((2, 3), 2, np.float32))
    parameter.accumulate_grad(np.full((2, 3), 3, np.float32))
    assert (parameter.grad == 5).all()
    parameter.zero_grad(set_to_none=False)
    assert (parameter.grad == 0).all()
    parameter.zero_grad()
    assert parameter.grad is None


def test_gradients_of_an_operator_add_up_in_the_place_that_an_optimizer_has_for_them():
    parameter = make()
    dy, x = np.ones((4, 2), np.float32), np.full((4, 3), 2, np.float32)
    parameter.accumulate(ops.linear_backward_weight, dy, x)
    assert (parameter.grad == 8).all()
    optim.SGD([parameter], lr=0.5)
    place = parameter.grad
    parameter.accumulate(ops.linear_backward_weight, dy, x)
    assert (parameter.grad == 16).all()
    parameter.zero_grad()
    parameter.accumulate(ops.linear_backward_weight, dy, x)
    assert parameter.grad is place
    assert (place == 8).all()
    parameter.zero_grad()
    with pytest.raises(ValueError, match="must agree in all axes"):
        parameter.accumulate(ops.linear_backward_weight, dy, x[:3])
    assert parameter.grad is None


def test_data_of_another_dtype_drops_the_gradient():
    parameter = make()
    parameter.grad = np.ones((2, 3), np.float32)
    parameter.data = np.zeros((2, 3), np.float32)
    assert parameter.grad is not None
    parameter.data = np.zeros((2, 3), np.float64)
    assert parameter.grad is None


def test_a_pickle_leaves_the_optimizer_behind():
    layer = nn.Linear(3, 300)
    layer.weight.requires_grad = False
    optim.SGD(layer.parameters(), lr=0.1)
    layer.bias.grad = np.arange(300, dtype=np.float32)
    whole = pickle.dumps(layer.bias)
    twin = pickle.loads(whole)
    assert len(whole) < 3 * layer.bias.data.nbytes  # not the store with all parameters and the state
    assert np.array_equal(twin.data, layer.bias.data)
    assert np.array_equal(twin.grad, layer.bias.grad)
    assert not pickle.loads(pickle.dumps(layer.weight)).requires_grad
    twin.data = np.zeros(300, np.float64)  # an optimizer that holds it would refuse the dtype
    assert layer.bias.dtype == np.float32


@bad_calls(
    (
        "frozen",
        lambda: nn.Parameter(np.ones(2), requires_grad="no"),
        TypeError,
        "requires_grad must be a bool, got str",
    ),
    ("list", lambda: nn.Parameter([1.0]), TypeError, "data must be a NumPy or CuPy array, got list"),
    ("integers", lambda: nn.Parameter(np.ones(2, int)), TypeError, "data must be float16"),
    (
        "data shape",
        lambda: setattr(make(), "data", np.ones(2, "f4")),
        ValueError,
        "data must have shape (2, 3)",
    ),
    (
        "grad shape",
        lambda: setattr(make(), "grad", np.ones(2, "f4")),
        ValueError,
        "grad must have shape (2, 3)",
    ),
    ("grad dtype", lambda: setattr(make(), "grad", np.ones((2, 3))), TypeError, "grad float64"),
    ("accumulate", lambda: make().accumulate_grad(np.ones((3, 2), "f4")), ValueError, "grad must have shape"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

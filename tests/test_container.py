"""Compositions: order, names, and gradients that flow through every path."""

from unittest import mock

import numpy as np
import pytest

from gpudl import nn
from tests.support.arrays import assert_refuses, bad_calls, random_array
from tests.support.gradients import numerical_gradient
from tests.support.tolerances import FINITE_DIFFERENCE, assert_close

F8 = np.float64


def linear(inputs, outputs, **keywords):
    return nn.Linear(inputs, outputs, dtype=F8, **keywords)


def apply(layer, x):
    return x @ layer.weight.data.T + (0 if layer.bias is None else layer.bias.data)


def assert_gradient(module, forward, x):
    """module(x) is forward(x), and so is its gradient; parameters have one afterwards."""
    y = module(x)
    assert_close(y, forward(x))
    dy = random_array(y.shape, seed=9)
    assert_close(module.backward(dy), numerical_gradient(forward, x, dy), tolerance=FINITE_DIFFERENCE)
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_sequential_applies_in_order():
    a, b = linear(5, 4), linear(4, 3)
    assert_gradient(nn.Sequential(a, b), lambda x: apply(b, apply(a, x)), random_array((2, 5)))


def test_an_empty_sequential_is_the_identity():
    x = random_array((2, 3))
    model = nn.Sequential()
    assert model(x) is x
    assert model.backward(x) is x


def test_sequential_is_a_sequence():
    layers = [linear(3, 3) for _ in range(4)]
    model = nn.Sequential(*layers)
    assert len(model) == 4
    assert list(model) == layers
    assert model[-1] is layers[3]
    assert isinstance(model[1:3], nn.Sequential)
    assert list(model[1:3]) == layers[1:3]
    assert model.append(nn.Identity()) is model
    assert list(model.state_dict())[:2] == ["0.weight", "0.bias"]
    replacement = linear(3, 3, bias=False)
    model[0] = replacement
    assert list(model.state_dict())[:2] == ["0.weight", "1.weight"]
    assert model[0] is replacement


def test_a_dict_names_the_layers():
    model = nn.Sequential({"first": linear(3, 4), "second": nn.Identity()})
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    assert model.first.out_features == 4
    assert model(random_array((2, 3))).shape == (2, 4)


def test_work_stops_at_the_first_layer_that_trains():
    frozen, trained = linear(3, 4).requires_grad_(False), linear(4, 2)
    model = nn.Sequential(nn.Identity(), frozen, nn.Sequential(trained))
    model.input_requires_grad = False
    dy = random_array((5, 2))
    model(random_array((5, 3)))
    with mock.patch("gpudl.ops.linear_backward_data", side_effect=AssertionError("nobody wants it")):
        assert model.backward(dy) is None
    assert trained.weight.grad is not None
    assert frozen.weight.grad is None
    trained(random_array((5, 4)))
    assert trained.backward(dy).shape == (5, 4), "alone it has the gradient of its input as before"
    model.input_requires_grad = True
    model(random_array((5, 3)))
    assert model.backward(dy).shape == (5, 3)


def test_module_list_holds_but_does_not_call():
    layers = [linear(2, 2), linear(2, 2)]
    modules = nn.ModuleList(layers)
    assert modules.extend([nn.Identity()]) is modules
    assert_refuses(
        lambda: modules.extend([nn.Identity(), 3]), TypeError, "argument 1 must be a Module, got int"
    )
    assert isinstance(modules[:2], nn.ModuleList)
    assert list(modules[:2]) == layers
    assert [name for name, _ in modules.named_children()] == ["0", "1", "2"]
    assert list(modules.extend(modules)) == [*layers, modules[2]] * 2
    assert len(nn.ModuleList()) == 0


def test_identity_takes_anything():
    identity, x = nn.Identity(3, something="else"), random_array((2, 3))
    assert identity(x) is x
    assert identity.backward(x) is x


@pytest.mark.parametrize("shortcut", [False, True])
def test_residual(shortcut):
    branch = linear(4, 4)
    side = linear(4, 4, bias=False) if shortcut else None
    block = nn.Residual(branch, side)
    assert_gradient(
        block, lambda x: apply(branch, x) + (apply(side, x) if shortcut else x), random_array((3, 4))
    )
    block.input_requires_grad = False
    block.zero_grad()
    y = block(random_array((3, 4)))
    assert block.backward(y) is None
    assert branch.weight.grad is not None


@pytest.mark.parametrize("axis", [1, -1])
def test_concat(axis):
    a, b, c = linear(4, 3), linear(4, 1), nn.Identity()
    joined = nn.Concat(a, b, c, axis=axis)
    assert_gradient(
        joined, lambda x: np.concatenate([apply(a, x), apply(b, x), x], axis), random_array((3, 4))
    )
    assert next(iter(joined.state_dict())) == "branches.0.weight"
    joined.input_requires_grad = False
    y = joined(random_array((3, 4)))
    assert joined.backward(y) is None
    joined = nn.Concat(c, a, axis=axis)
    joined.input_requires_grad = False
    y = joined(random_array((3, 4)))
    assert joined.backward(y) is None


def test_an_inception_block_of_images():
    model = nn.Sequential(
        nn.Concat(
            nn.Conv2d(3, 4, 1, dtype=F8),
            nn.Sequential(nn.Conv2d(3, 2, 1, dtype=F8), nn.Conv2d(2, 5, 3, padding=1, dtype=F8)),
        ),
        nn.Residual(nn.Conv2d(9, 9, 3, padding="same", groups=3, dtype=F8)),
        nn.Flatten(),
        linear(9 * 4 * 5, 2),
    )
    x, dy = random_array((1, 3, 4, 5)), random_array((1, 2), seed=1)
    model(x)
    expected = numerical_gradient(lambda v: model(v).astype(F8), x, dy)
    model(x)
    assert_close(model.backward(dy), expected, tolerance=FINITE_DIFFERENCE)


@bad_calls(
    ("no module", lambda: nn.Sequential(1), TypeError, "Sequential: argument 0 must be a Module, got int"),
    (
        "list item",
        lambda: nn.ModuleList([nn.Identity(), None]),
        TypeError,
        "ModuleList: argument 1 must be a Module",
    ),
    ("append", lambda: nn.Sequential().append("x"), TypeError, "must be a Module, got str"),
    (
        "append to names",
        lambda: nn.Sequential({"1": nn.Identity()}).append(nn.Identity()),
        ValueError,
        "append would name the module '1', which is taken",
    ),
    (
        "name",
        lambda: nn.Sequential({"a.b": nn.Identity()}),
        ValueError,
        "'a.b' cannot be the name of a module",
    ),
    (
        "taken name",
        lambda: nn.Sequential({"forward": nn.Identity()}),
        ValueError,
        "'forward' cannot be the name",
    ),
    (
        "name of its own",
        lambda: nn.Sequential({"_names": nn.Identity()}),
        ValueError,
        "'_names' cannot be the name",
    ),
    ("branch", lambda: nn.Residual(None), TypeError, "Residual: argument 0 must be a Module, got NoneType"),
    ("no branches", lambda: nn.Concat(), ValueError, "expected at least one branch, got none"),
    ("axis", lambda: nn.Concat(nn.Identity(), axis=1.0), TypeError, "axis must be an int, got float"),
    ("call a list", lambda: nn.ModuleList()(1), NotImplementedError, "ModuleList does not define forward"),
    (
        "shapes",
        lambda: nn.Residual(linear(3, 2))(np.ones((1, 3))),
        ValueError,
        "branch gave shape (1, 2), shortcut (1, 3)",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

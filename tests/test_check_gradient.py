"""check_gradient: right modules pass, every kind of wrong one fails, nothing of the caller's changes."""

import numpy as np
import pytest

import gpudl
from gpudl import nn, ops
from gpudl.nn import Module, Parameter
from tests.support.arrays import assert_refuses, bad_calls, random_array

X = random_array((3, 4), seed=1)


class Scale(Module):
    """y = x * a; its faults are chosen by name."""

    def __init__(self, fault=None):
        super().__init__()
        self.a = Parameter(np.array([2.0, 3.0, 4.0, 5.0], np.float32))
        self.fault = fault

    def forward(self, x):
        self.save_for_backward(x)
        return x * self.a.data

    def backward(self, dy):
        x = self.saved_for_backward()
        da = (dy * x).sum(axis=0)
        if self.fault == "parameter":
            da[1] += 0.1
        if self.fault == "nan":
            da[2] = np.nan
        if self.fault == "shape":
            da = da[None]
        if self.fault == "replaces":
            self.a.grad = da
        elif self.fault == "shape":
            self.a._grad = da
        elif self.fault != "no grad":
            self.a.accumulate_grad(da)
        dx = dy * self.a.data
        if self.fault == "writes":
            dy *= 0
        if self.fault == "no dx":
            return None
        if self.fault == "dx shape":
            return dx[:1]
        if self.fault == "dx":
            dx[2, 3] *= -1
        return dx


def test_right_modules_pass():
    assert gpudl.check_gradient(Scale(), X) is True
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Residual(nn.Conv2d(3, 3, 1)), nn.Flatten(), nn.Linear(27, 2)
    )
    assert gpudl.check_gradient(model, random_array((2, 2, 3, 3), np.float32))


def test_random_layers_draw_the_same_numbers():
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.GaussianNoise(0.1), nn.Linear(8, 3))
    before = gpudl.random.default_generator.state_dict()
    assert gpudl.check_gradient(model, X)
    assert gpudl.random.default_generator.state_dict() == before


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("parameter", "a[1]: backward gives"),
        ("nan", "a[2]: backward gives nan"),
        ("shape", "a.grad must have shape (4,), got (1, 4)"),
        ("replaces", "a second backward must add to a.grad"),
        ("no grad", "a.grad must have shape (4,), got None"),
        ("no dx", "backward must return shape (3, 4), got None"),
        ("dx shape", "backward must return shape (3, 4), got (1, 4)"),
        ("dx", "x[2, 3]: backward gives"),
    ],
)
def test_every_fault_is_found(fault, words):
    assert_refuses(lambda: gpudl.check_gradient(Scale(fault), X), gpudl.GradientError, words)


def test_a_backward_that_changes_between_calls():
    class Drifts(Module):
        calls = 0

        def forward(self, x):
            return x * 2

        def backward(self, dy):
            Drifts.calls += 1
            return dy * (2 + (Drifts.calls == 2))

    assert_refuses(lambda: gpudl.check_gradient(Drifts(), X), gpudl.GradientError, "gave another dx")


def test_frozen_parameters_are_left_out():
    module = Scale("parameter")
    module.a.requires_grad = False
    assert gpudl.check_gradient(module, X)


def test_samples_bound_the_work():
    class Counts(Module):
        forwards = 0

        def forward(self, x):
            Counts.forwards += 1
            return ops.relu_forward(x)

        def backward(self, dy):
            return dy * 0

    assert_refuses(
        lambda: gpudl.check_gradient(Counts(), np.ones((50, 50)), samples=10),
        gpudl.GradientError,
        "10 of 10 elements",
    )
    assert Counts.forwards == 1 + 2 + 2 * 10


def test_nothing_of_the_callers_changes():
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).eval()
    module[0].weight.grad = np.ones_like(module[0].weight.data)
    before = {name: array.copy() for name, array in module.state_dict().items()}
    x = X.copy()
    gpudl.check_gradient(module, x)
    assert (x == X).all()
    assert all((before[name] == array).all() for name, array in module.state_dict().items())
    assert (module[0].weight.grad == 1).all()
    assert module[0].weight.dtype == np.float32
    assert module[0].bias.grad is None
    assert not module[1].training


def test_tolerances_act():
    module = Scale("parameter")
    assert gpudl.check_gradient(module, X, atol=0.2)
    assert gpudl.check_gradient(module, X, rtol=1.0)
    assert_refuses(lambda: gpudl.check_gradient(module, X, atol=0.01, rtol=0), gpudl.GradientError, "a[1]")
    rough = nn.Softmax(dim=1)
    assert_refuses(lambda: gpudl.check_gradient(rough, X, eps=1.0, rtol=0), gpudl.GradientError, "x[")


@bad_calls(
    (
        "two results",
        lambda: gpudl.check_gradient(nn.MaxPool2d(2, return_indices=True), random_array((1, 1, 4, 4))),
        TypeError,
        "module must return one array, got tuple",
    ),
    (
        "writes dy",
        lambda: gpudl.check_gradient(Scale("writes"), X),
        gpudl.GradientError,
        "backward must not write to dy",
    ),
    (
        "module",
        lambda: gpudl.check_gradient(len, X),
        TypeError,
        "module must be a Module, got builtin_function",
    ),
    (
        "x",
        lambda: gpudl.check_gradient(Scale(), [1.0]),
        TypeError,
        "x must be a NumPy or CuPy array, got list",
    ),
    ("x dtype", lambda: gpudl.check_gradient(Scale(), X.astype(int)), TypeError, "x must be float16"),
    ("eps", lambda: gpudl.check_gradient(Scale(), X, eps=0), ValueError, "eps must be above 0, got 0"),
    (
        "atol",
        lambda: gpudl.check_gradient(Scale(), X, atol=-1),
        ValueError,
        "atol must be a finite number in [0",
    ),
    ("rtol", lambda: gpudl.check_gradient(Scale(), X, rtol="1"), TypeError, "rtol must be a number, got str"),
    (
        "samples",
        lambda: gpudl.check_gradient(Scale(), X, samples=0),
        ValueError,
        "samples must be at least 1, got 0",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

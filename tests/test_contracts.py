"""What every public name must hold: PyTorch's arguments and defaults, a docstring, errors that name the culprit."""

import inspect

import numpy as np
import pytest

import gpudl
from gpudl import nn, ops
from tests.support.arrays import assert_refuses

# Arguments that PyTorch has deprecated itself.
LEFT_OUT = {"size_average", "reduce"}


# About how PyTorch computes, not what.
EXECUTION = {"foreach", "fused", "capturable", "differentiable"}

SCHEDULES = [
    "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR", "LambdaLR", "LinearLR",
    "MultiStepLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip

NOT_LAYERS = {"IncompatibleKeys", "Parameter", "Module", "ModuleList"}


def public(module):
    return [name for name in module.__all__ if inspect.isclass(getattr(module, name))]


def arguments(function):
    parameters = list(inspect.signature(function).parameters.values())
    return {p.name: p.default for p in parameters if p.name not in LEFT_OUT | {"self"}}


def assert_same_arguments(ours, theirs, without=()):
    mine = arguments(ours)
    reference = {name: default for name, default in arguments(theirs).items() if name not in without}
    missing = [name for name in reference if name not in mine and name not in ("args", "kwargs")]
    assert not missing, f"PyTorch also has {missing}"
    order = [name for name in mine if name in reference]
    assert order == [name for name in reference if name in mine], "another order than PyTorch's"
    for name in order:
        if name == "params" or repr(reference[name]).startswith("<"):  # PyTorch's own sentinels
            continue
        assert mine[name] == reference[name] or mine[name] is reference[name], f"default of {name}"


@pytest.mark.torch
@pytest.mark.parametrize("name", public(nn))
def test_layers_take_the_arguments_of_pytorch(name):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.nn, name, None)
    if theirs is None or name in ("Module", "Parameter", "Sequential"):
        pytest.skip(f"torch.nn has no {name} to compare with, or one of another kind")
    assert_same_arguments(getattr(nn, name).__init__, theirs.__init__)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_optimizers_take_the_arguments_of_pytorch(name):
    torch = pytest.importorskip("torch")
    assert_same_arguments(getattr(gpudl.optim, name).__init__, getattr(torch.optim, name).__init__, EXECUTION)


@pytest.mark.torch
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_take_the_arguments_of_pytorch(name):
    torch = pytest.importorskip("torch")
    if name == "ExponentialLR":
        pytest.skip("gamma may be left out for decay_steps")
    ours, theirs = getattr(gpudl.optim.lr_scheduler, name), getattr(torch.optim.lr_scheduler, name)
    assert_same_arguments(ours.__init__, theirs.__init__)


@pytest.mark.parametrize("name", ops.__all__)
def test_an_operator_names_itself_and_the_argument_that_is_no_array(name):
    function = getattr(ops, name)
    parameters = list(inspect.signature(function).parameters.values())
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]
    values = [[[1.0]]] + [np.ones((1, 1, 1, 1), np.float32) for _ in required[1:]]
    assert_refuses(lambda: function(*values, **_keywords(parameters)), TypeError, f"{name}")


@pytest.mark.parametrize("name", ops.__all__)
def test_an_operator_names_itself_where_something_required_is_none(name):
    """A forward without its `return` gives None to the next layer."""
    function = getattr(ops, name)
    parameters = list(inspect.signature(function).parameters.values())
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]
    for absent, parameter in enumerate(required):
        if parameter.name == "output_size":  # None keeps that of x
            continue
        values = [np.ones((1, 1, 1, 1), np.float32) for _ in required]
        values[absent] = None
        with pytest.raises((TypeError, ValueError), match=f"^{name}: "):
            function(*values, **_keywords(parameters))


def _keywords(parameters):
    return {p.name: 1 for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}


@pytest.mark.parametrize("name", [*ops.__all__])
def test_operators_are_documented(name):
    text = inspect.getdoc(getattr(ops, name)) or ""
    assert len(text) > 80, "formula, shapes, dtypes and errors belong here"


@pytest.mark.parametrize("name", [name for name in public(nn) if name not in NOT_LAYERS])
def test_layers_are_documented(name):
    layer = getattr(nn, name)
    assert layer.__doc__
    for method in ("forward", "backward"):
        assert inspect.getdoc(getattr(layer, method)), method


@pytest.mark.parametrize(
    "module",
    [
        gpudl,
        nn,
        ops,
        gpudl.data,
        gpudl.data.transforms,
        gpudl.metrics,
        gpudl.models,
        gpudl.optim,
        gpudl.train,
    ],
    ids=lambda module: module.__name__,
)
def test_all_lists_what_is_there_once(module):
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)

"""Every executor has every operator, with one signature."""

import inspect

import pytest

from gpudl import _backend, _numpy
from tests.support.arrays import COMPILED
from tests.support.kernels import require_simt


def signature(function):
    parameters = inspect.signature(function).parameters.values()
    return [(parameter.name, parameter.kind) for parameter in parameters]


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_operators_are_those_of_numpy(name):
    if name == "simt":
        require_simt()
    module = _backend._load(name)
    assert set(module.__all__) == set(_numpy.__all__)
    for operator in module.__all__:
        assert signature(getattr(module, operator)) == signature(getattr(_numpy, operator)), operator


@pytest.mark.parametrize("operator", _numpy.__all__)
def test_an_operator_has_inputs_then_outputs_then_keyword_numbers(operator):
    function = getattr(_numpy, operator)
    assert callable(function)
    assert function.__module__.startswith("gpudl._numpy."), "the NumPy twin must be NumPy"
    kinds = [kind for _, kind in signature(function)]
    assert kinds == sorted(kinds)
    assert inspect.Parameter.VAR_POSITIONAL not in kinds
    assert inspect.Parameter.VAR_KEYWORD not in kinds

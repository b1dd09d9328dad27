"""Every executor has every operator, with one signature."""

import inspect

import pytest

import gpudl
from gpudl import _backend, _numpy
from tests.support.arrays import COMPILED, assert_refuses
from tests.support.kernels import WITHOUT_KERNEL, require_simt


def signature(function):
    parameters = inspect.signature(function).parameters.values()
    return [(parameter.name, parameter.kind) for parameter in parameters]


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_operators_are_those_of_numpy(name):
    if name == "simt":
        require_simt()
    module = _backend._load(name)
    assert set(module.__all__) == set(_numpy.__all__) - WITHOUT_KERNEL
    for operator in module.__all__:
        assert signature(getattr(module, operator)) == signature(getattr(_numpy, operator)), operator


def test_an_operator_without_kernel_is_named():
    require_simt()
    module = _backend._load("simt")
    for operator in sorted(WITHOUT_KERNEL):
        assert_refuses(
            lambda operator=operator: getattr(module, operator),
            gpudl.BackendError,
            f"operator {operator} has no CUDA",
        )
    assert not hasattr(module, "no_such_operator")
    assert set(_numpy.__all__) >= WITHOUT_KERNEL, "the list names what NumPy does not have"


@pytest.mark.parametrize("operator", _numpy.__all__)
def test_an_operator_has_inputs_then_outputs_then_keyword_numbers(operator):
    function = getattr(_numpy, operator)
    assert callable(function)
    assert function.__module__.startswith("gpudl._numpy."), "the NumPy twin must be NumPy"
    kinds = [kind for _, kind in signature(function)]
    assert kinds == sorted(kinds)
    assert inspect.Parameter.VAR_POSITIONAL not in kinds
    assert inspect.Parameter.VAR_KEYWORD not in kinds

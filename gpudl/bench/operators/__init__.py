"""The operators that are measured, one file each: their problems, and who contends beside the user's own."""

from __future__ import annotations

import importlib
import pkgutil

from gpudl.bench.contender import CONTENDERS
from gpudl.bench.device import as_arrays, host_float64
from gpudl.bench.problem import Inputs, Problem, Results

OURS = "gpudl"


def load() -> None:
    """Register all of them. Needs PyTorch only where a contender of it is called."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def gpudl_results(problem: Problem, inputs: Inputs) -> Results:
    """The part that is compared of what gpudl's own contender gives of NumPy arrays, in float64."""
    prepared = CONTENDERS[problem.operator][OURS].prepare(inputs, dict(problem.settings))
    return tuple(host_float64(array) for array in problem.part(as_arrays(prepared.results())))

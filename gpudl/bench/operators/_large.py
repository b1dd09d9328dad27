"""Large problems are verified in part: all of it would take NumPy many seconds and much memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpudl.bench.operators import gpudl_results
from gpudl.bench.problem import Inputs, Problem, Results, widened

LARGE = 1 << 25  # numbers that cross memory
OF_SAMPLES = ("x", "dy", "y", "a", "b")  # inputs whose first axis is that of samples
CHANNELS = 2  # first and last ones that are verified

ENDS = (slice(0, 1), slice(-1, None))


def is_large(problem: Problem) -> bool:
    return problem.work.values > LARGE


def by_samples(problem: Problem) -> Problem:
    """Verified on the first and the last sample, where samples have nothing to do with each other."""

    def cut(inputs: Inputs, end: slice) -> Inputs:
        return {name: array[end] if name in OF_SAMPLES else array for name, array in inputs.items()}

    settings = dict(problem.settings)
    if "x_shape" in settings:
        settings["x_shape"] = (1, *settings["x_shape"][1:])
    return _in_part(
        dataclasses.replace(problem, settings=settings), cut, lambda result, end: result[end], problem
    )


def by_channels(problem: Problem) -> Problem:
    """Verified on the first and the last channels, where channels have nothing to do with each other; the channels are
    axis 1 of arrays and axis 0 of vectors."""

    def cut_one(array: Any, end: slice) -> Any:
        end = slice(0, CHANNELS) if end == ENDS[0] else slice(-CHANNELS, None)
        return array[:, end] if array.ndim > 1 else array[end]

    def cut(inputs: Inputs, end: slice) -> Inputs:
        return {name: cut_one(array, end) for name, array in inputs.items()}

    return _in_part(problem, cut, cut_one, problem)


def _in_part(
    small: Problem,
    cut: Callable[[Inputs, slice], Inputs],
    cut_one: Callable[[Any, slice], Any],
    problem: Problem,
) -> Problem:
    """small : the problem with the settings of a part."""

    def part(results: Sequence[Any]) -> Sequence[Any]:
        return [cut_one(result, end) for end in ENDS for result in problem.part(results)]

    def expected(inputs: Inputs) -> Results:
        found: list[np.ndarray] = []
        for end in ENDS:
            found += gpudl_results(small, {name: widened(array) for name, array in cut(inputs, end).items()})
        return tuple(found)

    return dataclasses.replace(problem, part=part, expected=expected)

"""What is measured: operators, and for each the sizes it is measured on and the work it cannot avoid."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np

DTYPES = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float64": np.dtype(np.float64),
}
# Largest |result - expected| over the largest |expected|: the rounding of results and inputs, with room for sums of
# some thousand terms in any order and for Winograd's transforms. TF32 rounds the factors of float32 to float16's bits.
TOLERANCES = {"float32": 1e-4, "tf32": 1e-2, "float16": 1e-2, "bfloat16": 4e-2, "float64": 1e-10}

LARGEST_DRAW = 1 << 22  # numbers; larger arrays repeat them: what is drawn costs more than what is measured
SECTOR = 32  # bytes that cross a GPU's memory together

Inputs = dict[str, np.ndarray]
Results = tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True)
class Work:
    """The least that an operator has to do, whoever does it.

    flops : floating-point operations; a product and a sum are two.
    values : numbers of the problem's dtype that cross memory, each once.
    bytes : what crosses memory besides: indices, labels, statistics.
    """

    flops: float = 0
    values: float = 0
    bytes: float = 0

    def bytes_moved(self, dtype: str) -> float:
        return self.values * DTYPES[dtype].itemsize + self.bytes


@dataclasses.dataclass(frozen=True)
class Problem:
    """One operator on inputs of one size.

    workload : the size in words, unique within the operator: "ResNet-50 conv3_1b, N 32". Time is drawn over the batch
        size where such words differ in nothing else; it is the number after "N ", else the first of the first shape.
    inputs : generator -> the arrays, in float32 (integers stay as they are), by the names that contenders know them by.
        Activations are channels-last: (N, C, H, W) whose memory is (N, H, W, C).
    settings : keyword arguments of every contender, "stride" and the like.
    part : results of a contender, as it returned them -> those that are fetched and compared, or parts of them, such as
        one sample of many: by indexing alone, which arrays of NumPy and CuPy and tensors share.
    compared : those results, in float64 -> what is compared, where it is not the numbers themselves.
    expected : inputs, rounded to the dtype -> what `compared` gives of right results, from inputs that are `widened`.
        None: what gpudl gives in NumPy of all inputs in float64.
    error : what is compared, what was expected -> what must not be above the tolerance. None: the largest deviation,
        over the largest value expected.
    group : of problems with a geometric mean of their own, beside that of the family: "dense convolutions".
    dtypes, devices : where the problem makes sense. quick : whether `--quick` keeps it.
    calls : how many calls of each contender are timed, for calls of many seconds; None: as many as the time allows.
    """

    operator: str
    workload: str
    inputs: Callable[[np.random.Generator], Inputs]
    work: Work
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    part: Callable[[Sequence[Any]], Sequence[Any]] = lambda results: results
    compared: Callable[[Results], Results] = lambda results: results
    expected: Callable[[Inputs], Results] | None = None
    error: Callable[[Results, Results], float] | None = None
    tolerance: float | None = None
    group: str = ""
    dtype: str = "float32"
    dtypes: tuple[str, ...] = ("float32", "float16", "bfloat16", "float64")
    devices: tuple[str, ...] = ("cpu", "cuda")
    quick: bool = False
    calls: int | None = None

    @property
    def allowed_error(self) -> float:
        return TOLERANCES[self.dtype] if self.tolerance is None else self.tolerance

    @property
    def key(self) -> tuple[str, str, str]:
        return self.operator, self.workload, self.dtype

    def of(self, dtype: str) -> Problem:
        return dataclasses.replace(self, dtype=dtype)


@dataclasses.dataclass(frozen=True)
class Operator:
    name: str
    family: str  # what geometric means are taken over: "conv2d", "losses"
    problems: Callable[[], Iterator[Problem]]


OPERATORS: dict[str, Operator] = {}


def operator(name: str, *, family: str) -> Callable[[Callable[[], Iterator[Problem]]], Callable]:
    """Decorates a function that yields the `Problem`s of an operator."""

    def register(problems: Callable[[], Iterator[Problem]]) -> Callable[[], Iterator[Problem]]:
        assert name not in OPERATORS, name
        OPERATORS[name] = Operator(name, family, problems)
        return problems

    return register


def activations(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Uniform in [-1, 1); 4-D shapes (N, C, H, W) are channels-last in memory.

    Random, because zeros and small integers let a GPU draw less power and clock higher.
    """
    if len(shape) != 4:
        return _uniform(rng, shape)
    n, c, h, w = shape
    return _uniform(rng, (n, h, w, c)).transpose(0, 3, 1, 2)


def bias(rng: np.random.Generator, count: int, terms: int) -> np.ndarray:
    """As large as sums of so many products of activations: without it a result is wrong in every dtype."""
    return activations(rng, count) * np.float32(math.sqrt(terms))


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape)
    # An odd length: rows of a power of two begin at other places of it each time.
    drawn = rng.random(min(size, LARGEST_DRAW - 1), np.float32) * 2 - 1
    return np.resize(drawn, size).reshape(shape)


def widened(array: np.ndarray) -> np.ndarray:
    """In float64, strides kept."""
    return array.astype(np.float64, order="K")


def first_result(results: Sequence[Any]) -> Sequence[Any]:
    """The `part` of an operator whose other results are for its backward, in each library's own form."""
    return results[:1]

"""Noise and random numbers: ours of counters, others' of generators of their own, so what is compared are moments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Results, Work, activations, operator

SHAPE = (32, 64, 32, 32)
COUNT = 1 << 22
STD = 0.5
PLACE = {"seed": 0, "stream": 0}
TOLERANCE = 0.02  # of a moment: four standard deviations of those of 100,000 numbers
WORDS = 2**32
ROWS = (256, 1024)  # samples, and words for each: what a batch's dropout or augmentation draws
MOMENTS = {"uniform": (1 / 2, 1 / 3), "normal": (0.0, 1.0)}  # the means of z and of z^2
DIFFERENCE = "numbers of a generator of its own"


def _moments(results: Results) -> Results:
    (values,) = results
    return values.mean(), np.square(values).mean()


def noise_problem(shape: tuple[int, ...], **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {"x": activations(rng, *shape) + 1}  # a mean of 0 would have no relative error

    def expected(inputs: Inputs) -> Results:
        x = inputs["x"].astype(np.float64)
        return x.mean(), np.square(x).mean() + STD**2

    return Problem(
        "gaussian_noise_forward", str(shape), inputs, Work(values=2 * int(np.prod(shape))), {"std": STD},
        compared=_moments, expected=expected, tolerance=TOLERANCE, **options,
    )  # fmt: skip


def number_problem(kind: str, count: int, **options: Any) -> Problem:
    """kind : "uniform" or "normal". The array that is filled is an input: it says where."""
    moments = tuple(map(np.asarray, MOMENTS[kind]))
    return Problem(
        f"philox_{kind}", f"({count},)", lambda rng: {"out": activations(rng, count)}, Work(values=count),
        compared=_moments, expected=lambda inputs: moments, tolerance=TOLERANCE, dtypes=("float32",), **options,
    )  # fmt: skip


def words_problem(shape: tuple[int, ...], **options: Any) -> Problem:
    """Words of 32 bits. shape : (count,), or (rows, count) of samples that have a number each."""
    moments = tuple(map(np.asarray, MOMENTS["uniform"]))
    name = "philox_uint32" if len(shape) == 1 else "philox_uint32_rows"

    def inputs(rng: np.random.Generator) -> Inputs:
        out = {"out": np.zeros(shape, np.uint32)}
        return out if len(shape) == 1 else {"rows": rng.permutation(10 * shape[0])[: shape[0]], **out}

    def compared(results: Results) -> Results:
        return _moments((np.mod(results[0], WORDS) / WORDS,))  # PyTorch's are signed

    return Problem(
        name, str(shape), inputs, Work(bytes=4 * int(np.prod(shape)) + 8 * sum(shape[:-1])), compared=compared,
        expected=lambda inputs: moments, tolerance=TOLERANCE, dtypes=("float32",), **options,
    )  # fmt: skip


@operator("philox_uint32", family="philox")
def word_problems() -> Iterator[Problem]:
    yield words_problem((COUNT,), quick=True)


@operator("philox_uint32_rows", family="philox")
def row_problems() -> Iterator[Problem]:
    yield words_problem(ROWS, quick=True)


@contender("philox_uint32", name="gpudl")
def gpudl_words(out: Any) -> Any:
    return ops.philox_uint32(**PLACE, start=0, count=out.size, out=out)


@contender(
    "philox_uint32", name="NumPy", devices=("cpu",), prepares=True, difference=f"{DIFFERENCE}, Philox4x64"
)
def numpy_words(out: Any) -> Any:
    bits = np.random.Philox(0)
    return lambda: bits.random_raw(out.size // 2).view(np.uint32)


@contender("philox_uint32", name="PyTorch", arrays="torch", difference=DIFFERENCE)
def torch_words(out: Any) -> Any:
    import torch

    return out.view(torch.int32).random_(-(2**31), 2**31)


@contender("philox_uint32_rows", name="gpudl")
def gpudl_rows(rows: Any, out: Any) -> Any:
    return ops.philox_uint32_rows(**PLACE, rows=rows, count=out.shape[1], out=out)


@contender("philox_uint32_rows", name="NumPy", devices=("cpu",),
           difference=f"{DIFFERENCE}, Philox4x64, one for each row")  # fmt: skip
def numpy_rows(rows: Any, out: Any) -> Any:
    blocks = out.shape[1] // 8  # of 4 words of 64 bits
    for row, words in zip(rows, out, strict=True):
        bits = np.random.Philox(counter=int(row) * blocks, key=0)
        words[...] = bits.random_raw(len(words) // 2).view(np.uint32)
    return out


@operator("gaussian_noise_forward", family="noise")
def noise_problems() -> Iterator[Problem]:
    yield noise_problem(SHAPE, quick=True)


@contender("gaussian_noise_forward", name="gpudl")
def gpudl_noise(x: Any, *, std: float) -> Any:
    return ops.gaussian_noise_forward(x, std=std, **PLACE)


@contender("gaussian_noise_forward", name="PyTorch", arrays="torch", difference=DIFFERENCE)
def torch_noise(x: Any, *, std: float) -> Any:
    import torch

    return x + std * torch.randn_like(x)


def _register(kind: str) -> None:
    ours = getattr(ops, f"philox_{kind}")

    @operator(f"philox_{kind}", family="philox")
    def problems() -> Iterator[Problem]:
        yield number_problem(kind, COUNT, quick=True)

    @contender(f"philox_{kind}", name="gpudl")
    def gpudl_numbers(out: Any) -> Any:
        return ours(**PLACE, start=0, count=out.size, out=out)

    @contender(f"philox_{kind}", name="PyTorch", arrays="torch", difference=DIFFERENCE)
    def torch_numbers(out: Any) -> Any:
        return getattr(out, f"{kind}_")()

    @contender(f"philox_{kind}", name="NumPy", devices=("cpu",), prepares=True, difference=DIFFERENCE)
    def numpy_numbers(out: Any) -> Any:
        rng = np.random.default_rng(0)
        draw = {"uniform": rng.random, "normal": rng.standard_normal}[kind]
        return lambda: draw(dtype=np.float32, out=out)


for each in MOMENTS:
    _register(each)

"""The operators that metrics add up with, against the obvious expression in PyTorch.

PyTorch's users have no such operators: they write the expression and add to a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, operator

SHAPES = [(128, 10), (256, 1000), (8192, 100)]
SAMPLES = [128, 1 << 20]
# Counts are exact. In half precision scores tie, and libraries break ties in ways of their own.
EXACT = {"tolerance": 0.0, "dtypes": ("float32",)}


def class_problem(name: str, shape: tuple[int, int], words: str = "", **settings: Any) -> Problem:
    samples, classes = shape

    def inputs(rng: np.random.Generator) -> Inputs:
        return {"scores": activations(rng, *shape), "target": rng.integers(0, classes, samples)}

    counts = classes**2 if name == "confusion_counts" else 2
    work = Work(values=samples * classes, bytes=8 * (samples + counts))
    return Problem(name, f"{shape}{words}", inputs, work, settings, quick=shape == SHAPES[1], **EXACT)


def sum_problem(samples: int) -> Problem:
    return Problem(
        "sum_and_count", f"({samples},)", lambda rng: {"values": activations(rng, samples)},
        Work(flops=samples, values=samples), quick=samples == SAMPLES[-1],
    )  # fmt: skip


@operator("top_k_correct", family="counts")
def top_k_problems() -> Iterator[Problem]:
    for shape in SHAPES:
        for k in (1, 5):
            yield class_problem("top_k_correct", shape, f", k = {k}", k=k)


@operator("confusion_counts", family="counts")
def confusion_problems() -> Iterator[Problem]:
    for shape in SHAPES:
        yield class_problem("confusion_counts", shape)


@operator("sum_and_count", family="counts")
def sum_problems() -> Iterator[Problem]:
    yield from map(sum_problem, SAMPLES)


@contender("top_k_correct", name="gpudl")
def gpudl_top_k(scores: Any, target: Any, *, k: int) -> Any:
    return ops.top_k_correct(scores, target, k=k)[:1]


@contender("confusion_counts", name="gpudl")
def gpudl_confusion(scores: Any, target: Any) -> Any:
    return ops.confusion_counts(scores, target, scores.shape[1])


contender("sum_and_count", name="gpudl")(ops.sum_and_count)


@contender("top_k_correct", name="PyTorch", arrays="torch")
def torch_top_k(scores: Any, target: Any, *, k: int) -> Any:
    if k == 1:
        return (scores.argmax(1) == target).sum()[None]
    return (scores.topk(k, 1).indices == target[:, None]).sum()[None]


@contender("confusion_counts", name="PyTorch", arrays="torch")
def torch_confusion(scores: Any, target: Any) -> Any:
    import torch

    classes = scores.shape[1]
    pairs = target * classes + scores.argmax(1)
    return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@contender("sum_and_count", name="PyTorch", arrays="torch")
def torch_sum(values: Any) -> Any:
    import torch

    count = torch.full((), values.numel(), dtype=torch.float64, device=values.device)
    return torch.stack([values.double().sum(), count])

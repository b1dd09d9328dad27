"""The operators that metrics add up with, against the obvious expression in PyTorch.

PyTorch's users have no such operators: they write the expression and add to a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import ops

SHAPES = [(128, 10), (256, 1000), (8192, 100)]


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        scores = rng.standard_normal(shape, np.float32)
        yield from _classes(scores, rng.integers(0, shape[1], shape[0]))
    for samples in (128, 1 << 20):
        yield from _sums(rng.standard_normal(samples, np.float32))


def _classes(scores: np.ndarray, target: np.ndarray) -> Iterator[Case]:
    ts, tt = torch.from_numpy(scores), torch.from_numpy(target)
    classes = scores.shape[1]
    words = str(scores.shape)

    def torch_confusion() -> torch.Tensor:
        pairs = tt * classes + ts.argmax(1)
        return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)

    yield Case(
        "top_k_correct", "k = 1", words,
        lambda: ops.top_k_correct(scores, target, k=1)[:1],
        lambda: (ts.argmax(1) == tt).sum()[None],
        tolerance=0,
    )  # fmt: skip
    yield Case(
        "top_k_correct", "k = 5", words,
        lambda: ops.top_k_correct(scores, target, k=5)[:1],
        lambda: (ts.topk(5, 1).indices == tt[:, None]).sum()[None],
        tolerance=0,
    )  # fmt: skip
    yield Case(
        "confusion_counts", "forward", words,
        lambda: ops.confusion_counts(scores, target, classes),
        torch_confusion,
        tolerance=0,
    )  # fmt: skip


def _sums(values: np.ndarray) -> Iterator[Case]:
    tv = torch.from_numpy(values)
    yield Case(
        "sum_and_count", "forward", str(values.shape),
        lambda: ops.sum_and_count(values),
        lambda: torch.tensor([tv.double().sum(), tv.numel()], dtype=torch.float64),
    )  # fmt: skip

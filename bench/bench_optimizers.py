"""One step of each optimizer over the parameters of ResNet-18, through the classes, against PyTorch's default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.harness import Case
from gpudl import models, optim
from gpudl.nn import Parameter

KINDS = [("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {}), ("RMSprop", {})]


def cases() -> Iterator[Case]:
    for words, make in (("ResNet-18", models.resnet18), ("LeNet", models.LeNet)):
        for name, options in KINDS:
            yield _case(name, {"lr": 1e-4, **options}, words, [p.shape for p in make().parameters()])


def _case(name: str, options: dict[str, Any], words: str, shapes: list[tuple[int, ...]]) -> Case:
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(shape, np.float32) for shape in shapes]
    gradients = [rng.standard_normal(shape, np.float32) for shape in shapes]
    mine = [Parameter(value.copy()) for value in values]
    theirs = [torch.nn.Parameter(torch.from_numpy(value.copy())) for value in values]
    ours, reference = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    for a, b, gradient in zip(mine, theirs, gradients, strict=True):
        a.grad = gradient
        b.grad = torch.from_numpy(gradient)

    def step() -> np.ndarray:
        ours.step()
        return mine[0].data

    def reference_step() -> torch.Tensor:
        reference.step()
        return theirs[0]

    return Case("optimizers", "step", f"{name}, {words}", step, reference_step)

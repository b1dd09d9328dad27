"""One step of each optimizer over the parameters of ResNet-18, through the classes, against PyTorch's default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.harness import Case
from gpudl import models, nn, optim
from gpudl.nn import Parameter

KINDS = [("SGD", {}), ("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {}), ("RMSprop", {})]


def cases() -> Iterator[Case]:
    for words, make in (("ResNet-18", models.resnet18), ("LeNet", models.LeNet)):
        for name, options in KINDS:
            yield _case(name, {"lr": 1e-4, **options}, words, [p.shape for p in make().parameters()])
        yield from _of_the_whole_model(words, make())


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

    extra = " with momentum" if options.get("momentum") else ""
    return Case("optimizers", "step", f"{name}{extra}, {words}", step, reference_step)


def _of_the_whole_model(words: str, model: nn.Module) -> Iterator[Case]:
    """Clipping by norm, and the moving average; the gradients lie in an optimizer's store, as in training."""
    mine = list(model.parameters())
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in mine]
    held = optim.SGD(mine, 1e-4)
    for a, b in zip(mine, theirs, strict=True):
        a.grad = a.data.copy()
        b.grad = torch.from_numpy(a.data.copy())
    average, reference_average = optim.EMA(model, 0.999), [p.detach().clone() for p in theirs]

    def clip() -> np.ndarray:
        assert held.param_groups
        return np.asarray(optim.clip_grad_norm_(mine, 0.5))

    def update() -> np.ndarray:
        average.update()
        return mine[0].data

    def reference_update() -> torch.Tensor:
        torch._foreach_lerp_(reference_average, [p.detach() for p in theirs], 0.001)
        return theirs[0]

    def reference_clip() -> torch.Tensor:
        return torch.nn.utils.clip_grad_norm_(theirs, 0.5)

    yield Case("optimizers", "clip_grad_norm_", words, clip, reference_clip)
    yield Case("optimizers", "EMA.update", words, update, reference_update)

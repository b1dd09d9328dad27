"""Losses, forward with what backward needs, and backward, through the layers as users call them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.harness import Case
from gpudl import nn


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape in [(128, 10), (256, 1000), (32, 21, 64, 64)]:
        x = rng.standard_normal((shape[0], *shape[2:], shape[1]), np.float32)
        x = x.transpose(0, len(shape) - 1, *range(1, len(shape) - 1))
        target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
        yield from _both("cross_entropy", nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss(), x, target)
    x = rng.standard_normal((1024, 1024), np.float32)
    target = rng.random((1024, 1024), np.float32)
    for name, ours, theirs in [
        ("mse_loss", nn.MSELoss(), torch.nn.MSELoss()),
        ("l1_loss", nn.L1Loss(), torch.nn.L1Loss()),
        ("smooth_l1_loss", nn.SmoothL1Loss(), torch.nn.SmoothL1Loss()),
        ("binary_cross_entropy_with_logits", nn.BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss()),
        ("huber_loss", nn.HuberLoss(), torch.nn.HuberLoss()),
        ("kl_div", nn.KLDivLoss("batchmean"), torch.nn.KLDivLoss(reduction="batchmean")),
    ]:
        yield from _both(name, ours, theirs, x, target)
    probabilities = rng.random((1024, 1024), np.float32)
    yield from _both("binary_cross_entropy", nn.BCELoss(), torch.nn.BCELoss(), probabilities, target)
    logarithms = np.log(np.maximum(probabilities, 1e-3))
    indices = rng.integers(0, 1024, 1024)
    yield from _both("nll_loss", nn.NLLLoss(), torch.nn.NLLLoss(), logarithms, indices)
    yield from _both("mse_loss", nn.MSELoss(), torch.nn.MSELoss(), x[:128, :10], target[:128, :10])


def _both(op: str, ours: Any, theirs: Any, x: np.ndarray, target: np.ndarray) -> Iterator[Case]:
    tx, tt = torch.from_numpy(x).requires_grad_(), torch.from_numpy(target)

    def step() -> np.ndarray:
        ours(x, target)
        return ours.backward()

    def reference_step() -> torch.Tensor:
        tx.grad = None
        theirs(tx, tt).backward()
        return tx.grad

    words = str(x.shape)
    yield Case(op, "forward", words, lambda: ours(x, target), lambda: theirs(tx, tt))
    yield Case(op, "forward + backward", words, step, reference_step)

"""Cases of a layer with parameters against its twin in torch.nn: forward, and forward with backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.harness import Case
from gpudl import nn


def layer_cases(op: str, layer: nn.Module, twin: torch.nn.Module, shape: tuple[int, ...]) -> Iterator[Case]:
    """The same parameters and input on both sides; 4-D input is channels-last on both."""
    twin.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in layer.state_dict().items()})
    rng = np.random.default_rng(0)
    x = _activations(rng, shape)
    dy = _activations(rng, layer(x).shape)
    tx, tdy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)
    workload = f"{type(layer).__name__} {shape}"

    def forward_and_backward() -> list[Any]:
        layer.zero_grad()
        layer(x)
        return [layer.backward(dy), *(parameter.grad for parameter in layer.parameters())]

    def torch_forward_and_backward() -> list[Any]:
        twin.zero_grad()
        tx.grad = None
        twin(tx).backward(tdy)
        return [tx.grad, *(parameter.grad for parameter in twin.parameters())]

    yield Case(op, "forward", workload, lambda: layer(x), lambda: twin(tx))
    yield Case(op, "forward + backward", workload, forward_and_backward, torch_forward_and_backward)


def _activations(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) != 4:
        return rng.standard_normal(shape, np.float32)
    n, c, h, w = shape
    return rng.standard_normal((n, h, w, c), np.float32).transpose(0, 3, 1, 2)

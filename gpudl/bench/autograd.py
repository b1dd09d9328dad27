"""Gradients as PyTorch's users get them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def backward_call(
    forward: Callable[..., Any], inputs: Sequence[Any], dy: Any = None
) -> Callable[[], tuple[Any, ...]]:
    """A call that gives the gradients of forward(*inputs), which has run before and is not part of it.

    dy : the gradient of the result; None where it is a loss, whose own is 1.
    """
    import torch

    for tensor in inputs:
        tensor.requires_grad_()
    y = forward(*inputs)
    dy = torch.ones_like(y) if dy is None else dy
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)

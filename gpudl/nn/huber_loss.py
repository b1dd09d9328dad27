"""Huber loss as a layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._loss import ElementwiseLoss
from gpudl.ops import _losses


class HuberLoss(ElementwiseLoss):
    """With d = |prediction - target|: 0.5 * d**2 where d < delta, else delta * (d - 0.5 * delta).

    reduction : "mean" over all elements, "sum" or "none". delta : > 0.

    Follows torch.nn.HuberLoss.
    """

    operators = (ops.huber_loss_forward, ops.huber_loss_backward)

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction)
        self.delta = _losses.positive("HuberLoss", "delta", delta)

    def _numbers(self) -> dict[str, Any]:
        return {"delta": self.delta}

    def extra_repr(self) -> str:
        return f"delta={self.delta}, {super().extra_repr()}"

"""Smooth L1 loss as a layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._loss import ElementwiseLoss
from gpudl.ops import _arrays


class SmoothL1Loss(ElementwiseLoss):
    """With d = |prediction - target|: 0.5 * d**2 / beta where d < beta, else d - 0.5 * beta.

    reduction : "mean" over all elements, "sum" or "none". beta : >= 0; 0 gives L1Loss.

    Follows torch.nn.SmoothL1Loss.
    """

    operators = (ops.smooth_l1_loss_forward, ops.smooth_l1_loss_backward)

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction)
        self.beta = _arrays.real("SmoothL1Loss", "beta", beta, minimum=0)

    def _numbers(self) -> dict[str, Any]:
        return {"beta": self.beta}

    def extra_repr(self) -> str:
        return f"beta={self.beta}, {super().extra_repr()}"

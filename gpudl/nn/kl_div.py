"""Kullback-Leibler divergence as a layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._loss import ElementwiseLoss, Loss
from gpudl.ops import _arrays


class KLDivLoss(ElementwiseLoss):
    """target * (log(target) - prediction); prediction holds logarithms of probabilities.

    reduction : "mean" over all elements, "batchmean" (the sum over N), "sum" or "none".
    log_target : True where target holds logarithms too.

    Follows torch.nn.KLDivLoss.
    """

    reductions = (*Loss.reductions, "batchmean")
    operators = (ops.kl_div_forward, ops.kl_div_backward)

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        super().__init__(reduction)
        _arrays.one_of("KLDivLoss", "log_target", log_target, (False, True))
        self.log_target = bool(log_target)

    def _numbers(self) -> dict[str, Any]:
        return {"log_target": self.log_target}

    def extra_repr(self) -> str:
        return f"log_target={self.log_target}, {super().extra_repr()}"

"""Softmax and cross entropy as one layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._loss import ClassLoss
from gpudl.ops import _arrays


class CrossEntropyLoss(ClassLoss):
    """-sum over c of q[c] * log_softmax(prediction)[c], one pass over the logits.

    weight : (C,), dtype of prediction, or None. ignore_index : samples with this index count nothing.
    reduction : "mean" (for indices over the sum of weight[t]), "sum" or "none".
    label_smoothing : in [0, 1], the share of the target that goes to all classes alike.

    target : class indices of any integer dtype, or probabilities shaped as prediction.
    See `ops.cross_entropy_forward`. Follows torch.nn.CrossEntropyLoss.
    """

    operators = (ops.cross_entropy_forward, ops.cross_entropy_backward)

    def __init__(
        self,
        weight: Array | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = _arrays.real(
            "CrossEntropyLoss", "label_smoothing", label_smoothing, minimum=0, maximum=1
        )

    def _numbers(self) -> dict[str, Any]:
        return {**super()._numbers(), "label_smoothing": self.label_smoothing}

"""Binary cross entropy of logits as a layer."""

from __future__ import annotations

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._loss import ElementwiseLoss
from gpudl.ops import _arrays


class BCEWithLogitsLoss(ElementwiseLoss):
    """BCELoss of sigmoid(prediction), stable for logits of any size.

    weight : broadcasts to the shape of prediction, dtype of prediction, or None.
    reduction : "mean" over all elements, "sum" or "none".
    pos_weight : weight of the positive part, broadcasts likewise, or None.

    Follows torch.nn.BCEWithLogitsLoss.
    """

    operators = (ops.binary_cross_entropy_with_logits_forward, ops.binary_cross_entropy_with_logits_backward)

    def __init__(self, weight: Array | None = None, reduction: str = "mean", pos_weight: Array | None = None):
        super().__init__(reduction)
        if weight is not None:
            _arrays.require_floats("BCEWithLogitsLoss", weight=weight)
        self.register_buffer("weight", weight)
        if pos_weight is not None:
            _arrays.require_floats("BCEWithLogitsLoss", pos_weight=pos_weight)
        self.register_buffer("pos_weight", pos_weight)

    def _extras(self) -> tuple[Array | None, ...]:
        return (
            self.weight,
            self.pos_weight,
        )

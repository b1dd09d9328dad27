"""Binary cross entropy of probabilities as a layer."""

from __future__ import annotations

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._loss import ElementwiseLoss
from gpudl.ops import _arrays


class BCELoss(ElementwiseLoss):
    """-weight * (target * log(prediction) + (1 - target) * log(1 - prediction)), logarithms at least -100.

    weight : broadcasts to the shape of prediction, dtype of prediction, or None.
    reduction : "mean" over all elements, "sum" or "none".

    Follows torch.nn.BCELoss.
    """

    operators = (ops.binary_cross_entropy_forward, ops.binary_cross_entropy_backward)

    def __init__(self, weight: Array | None = None, reduction: str = "mean"):
        super().__init__(reduction)
        if weight is not None:
            _arrays.require_floats("BCELoss", weight=weight)
        self.register_buffer("weight", weight)

    def _extras(self) -> tuple[Array | None, ...]:
        return (self.weight,)

"""Negative log likelihood as a layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._loss import ClassLoss


class NLLLoss(ClassLoss):
    """-weight[t] * prediction[t] for class indices t; prediction holds logarithms of probabilities.

    weight : (C,), dtype of prediction, or None. ignore_index : samples with this index count nothing.
    reduction : "mean" (over the sum of weight[t]), "sum" or "none". Follows torch.nn.NLLLoss.
    """

    operators = (ops.nll_loss_forward, ops.nll_loss_backward)

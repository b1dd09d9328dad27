"""Mean absolute error as a layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._loss import ElementwiseLoss


class L1Loss(ElementwiseLoss):
    """|prediction - target|, reduced by "mean" over all elements, "sum" or "none". Follows torch.nn.L1Loss."""

    operators = (ops.l1_loss_forward, ops.l1_loss_backward)

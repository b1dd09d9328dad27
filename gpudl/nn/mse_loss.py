"""Mean squared error as a layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._loss import ElementwiseLoss


class MSELoss(ElementwiseLoss):
    """(prediction - target)**2, reduced by "mean" over all elements, "sum" or "none". Follows torch.nn.MSELoss."""

    operators = (ops.mse_loss_forward, ops.mse_loss_backward)

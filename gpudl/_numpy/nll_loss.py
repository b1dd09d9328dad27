"""Negative log likelihood of rows."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.cross_entropy import require_classes


@computed_in_float32("dx")
def nll_loss_forward(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    loss: np.ndarray,
    counted: np.ndarray,
    dx: np.ndarray | None,
    *,
    ignore_index: int,
) -> None:
    """x : (M, C). target : (M,). loss, counted : (M,). dx : (M, C), gradient of the sum of all rows, or None."""
    require_classes("nll_loss_forward", target, x.shape[1], ignore_index)
    valid = target != ignore_index
    row, column = np.arange(len(x)), np.where(valid, target, 0)
    counted[...] = valid if weight is None else weight[column] * valid
    with np.errstate(all="ignore"):
        loss[...] = np.where(valid, -x[row, column] * counted, 0)
    if dx is not None:
        dx[...] = 0
        dx[row, column] = -counted

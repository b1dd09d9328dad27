"""Smooth L1 loss on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._losses import bounded_square, scaled_derivatives, sign_of_difference, sum_terms
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("loss", "value")
def smooth_l1_loss_forward(
    prediction: np.ndarray,
    target: np.ndarray,
    loss: np.ndarray | None,
    value: np.ndarray | None,
    *,
    scale: float,
    beta: float,
) -> None:
    """See `ops.smooth_l1_loss_forward`; arrays (M,), value (1,)."""

    def term(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        np.subtract(x, t, out=out)
        if beta > 0:
            bounded_square(out, beta, beta)
        else:
            np.abs(out, out=out)

    sum_terms(term, [prediction, target], loss, value, scale)


@computed_in_float32("dx")
def smooth_l1_loss_backward(
    prediction: np.ndarray,
    target: np.ndarray,
    gradient: np.ndarray,
    dx: np.ndarray,
    *,
    scale: float,
    beta: float,
) -> None:
    """See `ops.smooth_l1_loss_backward`; gradient (M,) or (1,)."""

    def derivative(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        if beta == 0:
            sign_of_difference(x, t, out)
            return
        np.subtract(x, t, out=out)
        if beta != 1:
            out /= beta
        np.clip(out, -1, 1, out=out)

    scaled_derivatives(derivative, [prediction, target], gradient, dx, scale)

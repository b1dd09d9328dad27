"""Absolute error on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._losses import scaled_derivatives, sign_of_difference, sum_terms
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("loss", "value")
def l1_loss_forward(
    prediction: np.ndarray,
    target: np.ndarray,
    loss: np.ndarray | None,
    value: np.ndarray | None,
    *,
    scale: float,
) -> None:
    """See `ops.l1_loss_forward`; arrays (M,), value (1,)."""

    def term(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        np.subtract(x, t, out=out)
        np.abs(out, out=out)

    sum_terms(term, [prediction, target], loss, value, scale)


@computed_in_float32("dx")
def l1_loss_backward(
    prediction: np.ndarray,
    target: np.ndarray,
    gradient: np.ndarray,
    dx: np.ndarray,
    *,
    scale: float,
) -> None:
    """See `ops.l1_loss_backward`; gradient (M,) or (1,)."""

    scaled_derivatives(sign_of_difference, [prediction, target], gradient, dx, scale)

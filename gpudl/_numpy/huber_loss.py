"""Huber loss on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._losses import bounded_square, scaled_derivatives, sum_terms
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("loss", "value")
def huber_loss_forward(
    prediction: np.ndarray,
    target: np.ndarray,
    loss: np.ndarray | None,
    value: np.ndarray | None,
    *,
    scale: float,
    delta: float,
) -> None:
    """See `ops.huber_loss_forward`; arrays (M,), value (1,)."""

    def term(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        np.subtract(x, t, out=out)
        bounded_square(out, delta)

    sum_terms(term, [prediction, target], loss, value, scale)


@computed_in_float32("dx")
def huber_loss_backward(
    prediction: np.ndarray,
    target: np.ndarray,
    gradient: np.ndarray,
    dx: np.ndarray,
    *,
    scale: float,
    delta: float,
) -> None:
    """See `ops.huber_loss_backward`; gradient (M,) or (1,)."""

    def derivative(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        np.subtract(x, t, out=out)
        np.clip(out, -delta, delta, out=out)

    scaled_derivatives(derivative, [prediction, target], gradient, dx, scale)

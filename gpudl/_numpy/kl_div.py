"""Kullback-Leibler divergence on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._losses import scaled_derivatives, sum_terms
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("loss", "value")
def kl_div_forward(
    prediction: np.ndarray,
    target: np.ndarray,
    loss: np.ndarray | None,
    value: np.ndarray | None,
    *,
    scale: float,
    log_target: bool,
) -> None:
    """See `ops.kl_div_forward`; arrays (M,), value (1,)."""

    def term(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        if log_target:
            np.exp(t, out=out)
            out *= t - x
            return
        np.log(t, out=out)
        out *= t
        np.copyto(out, 0, where=t == 0)
        out -= t * x

    sum_terms(term, [prediction, target], loss, value, scale)


@computed_in_float32("dx")
def kl_div_backward(
    prediction: np.ndarray,
    target: np.ndarray,
    gradient: np.ndarray,
    dx: np.ndarray,
    *,
    scale: float,
    log_target: bool,
) -> None:
    """See `ops.kl_div_backward`; gradient (M,) or (1,)."""

    def derivative(x: np.ndarray, t: np.ndarray, out: np.ndarray) -> None:
        if log_target:
            np.exp(t, out=out)
        else:
            np.copyto(out, t)

    scaled_derivatives(derivative, [prediction, target], gradient, dx, -scale)

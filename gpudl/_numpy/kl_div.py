"""Kullback-Leibler divergence on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._elementwise import keep
from gpudl._numpy._losses import scaled_derivatives, scratch_like, sum_terms
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
        other = scratch_like("other", x)
        if log_target:
            np.exp(t, out=out)
            np.subtract(t, x, out=other)
            out *= other
            return
        np.log(t, out=other)
        other *= t
        given = _parallel.scratch("kl_div_given", t.shape, np.bool_)
        np.not_equal(t, 0, out=given)
        keep(other, given, other)
        np.multiply(t, x, out=out)
        np.subtract(other, out, out=out)

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

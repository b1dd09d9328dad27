"""Binary cross entropy of logits on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import log1p_exp_of_minus_abs
from gpudl._numpy._losses import scaled_derivatives, scratch_like, sum_terms
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("loss", "value")
def binary_cross_entropy_with_logits_forward(
    prediction: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    pos_weight: np.ndarray | None,
    loss: np.ndarray | None,
    value: np.ndarray | None,
    *,
    scale: float,
) -> None:
    """See `ops.binary_cross_entropy_with_logits_forward`; arrays (M,), value (1,)."""

    def term(x: np.ndarray, t: np.ndarray, *rest: np.ndarray) -> None:
        out, factor = rest[-1], scratch_like("factor", x)
        log1p_exp_of_minus_abs(x, out)
        np.clip(x, -np.inf, 0, out=factor)
        out -= factor
        if pos_weight is not None:
            out *= _positive_factor(t, rest[-2], factor)
        np.subtract(1, t, out=factor)
        factor *= x
        out += factor
        if weight is not None:
            out *= rest[0]

    sum_terms(term, _given(prediction, target, weight, pos_weight), loss, value, scale)


@computed_in_float32("dx")
def binary_cross_entropy_with_logits_backward(
    prediction: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    pos_weight: np.ndarray | None,
    gradient: np.ndarray,
    dx: np.ndarray,
    *,
    scale: float,
) -> None:
    """See `ops.binary_cross_entropy_with_logits_backward`; gradient (M,) or (1,)."""

    def derivative(x: np.ndarray, t: np.ndarray, *rest: np.ndarray) -> None:
        """(1 - t) - v * sigmoid(-x)."""
        out, factor = rest[-1], scratch_like("factor", x)
        np.exp(x, out=out)
        out += 1
        np.reciprocal(out, out=out)
        if pos_weight is not None:
            out *= _positive_factor(t, rest[-2], factor)
        np.subtract(1, t, out=factor)
        np.subtract(factor, out, out=out)
        if weight is not None:
            out *= rest[0]

    scaled_derivatives(derivative, _given(prediction, target, weight, pos_weight), gradient, dx, scale)


def _positive_factor(t: np.ndarray, pos_weight: np.ndarray, out: np.ndarray) -> np.ndarray:
    """1 + (pos_weight - 1) * t."""
    np.subtract(pos_weight, 1, out=out)
    out *= t
    out += 1
    return out


def _given(*arrays: np.ndarray | None) -> list[np.ndarray]:
    return [array for array in arrays if array is not None]

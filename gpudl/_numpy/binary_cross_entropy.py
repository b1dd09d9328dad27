"""Binary cross entropy of probabilities on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import log1p
from gpudl._numpy._losses import scaled_derivatives, scratch_like, sum_terms
from gpudl._numpy._precision import computed_in_float32

_SMALLEST = float(np.float32(1e-12))  # of prediction * (1 - prediction); PyTorch's, a float32 in every dtype


@computed_in_float32("loss", "value")
def binary_cross_entropy_forward(
    prediction: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    loss: np.ndarray | None,
    value: np.ndarray | None,
    *,
    scale: float,
) -> None:
    """See `ops.binary_cross_entropy_forward`; arrays (M,), value (1,)."""
    _require_probabilities(prediction)

    def term(x: np.ndarray, t: np.ndarray, *rest: np.ndarray) -> None:
        out, other = rest[-1], scratch_like("other", x)
        np.negative(x, out=out)
        log1p(out, other)
        np.clip(other, -100, np.inf, out=other)
        np.log(x, out=out)
        np.clip(out, -100, np.inf, out=out)
        out -= other
        out *= t
        out += other
        np.negative(out, out=out)
        if len(rest) == 2:
            out *= rest[0]

    sum_terms(term, _given(prediction, target, weight), loss, value, scale)


@computed_in_float32("dx")
def binary_cross_entropy_backward(
    prediction: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    gradient: np.ndarray,
    dx: np.ndarray,
    *,
    scale: float,
) -> None:
    """See `ops.binary_cross_entropy_backward`; gradient (M,) or (1,)."""

    def derivative(x: np.ndarray, t: np.ndarray, *rest: np.ndarray) -> None:
        out = rest[-1]
        other = scratch_like("other", x)
        np.subtract(x, t, out=out)
        np.subtract(1, x, out=other)
        other *= x
        np.clip(other, _SMALLEST, np.inf, out=other)
        out /= other
        if len(rest) == 2:
            out *= rest[0]

    scaled_derivatives(derivative, _given(prediction, target, weight), gradient, dx, scale)


def _given(*arrays: np.ndarray | None) -> list[np.ndarray]:
    return [array for array in arrays if array is not None]


def _require_probabilities(x: np.ndarray) -> None:
    """A CPU reads the values anyway; a kernel cannot refuse them."""
    if x.size and (x.min() < 0 or x.max() > 1):
        wrong = x[(x < 0) | (x > 1)][0]
        raise ValueError(f"binary_cross_entropy_forward: prediction must be in [0, 1], got {wrong}")

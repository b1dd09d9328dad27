"""Softplus on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, keep, log1p_exp_of_minus_abs, run, sigmoid
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def softplus_forward(x: np.ndarray, y: np.ndarray, *, beta: float, threshold: float) -> None:
    """See `ops.softplus_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        """(max(z, 0) + log(1 + exp(-|z|))) / beta, z = beta x; x itself above the threshold, also where z overflows."""
        z, term, above = buffer("z", x), buffer("term", x), buffer("above", x, np.bool_)
        np.multiply(x, beta, out=z)
        log1p_exp_of_minus_abs(z, term)
        np.greater(z, threshold, out=above)
        np.clip(z, 0, np.inf, out=z)
        z += term
        z *= 1 / beta
        keep(x, above, term)
        np.logical_not(above, out=above)
        keep(z, above, z)
        np.add(z, term, out=y)

    run(piece, x, y)


@computed_in_float32("dx")
def softplus_backward(
    dy: np.ndarray, x: np.ndarray, dx: np.ndarray, *, beta: float, threshold: float
) -> None:
    """See `ops.softplus_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        slope, large, straight = buffer("slope", x), buffer("large", x, np.bool_), buffer("straight", x)
        np.multiply(x, beta, out=slope)
        np.greater(slope, threshold, out=large)
        np.copyto(straight, large)
        sigmoid(slope, slope)
        np.maximum(slope, straight, out=slope)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, x, dx)

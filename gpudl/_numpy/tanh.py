"""Hyperbolic tangent on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def tanh_forward(x: np.ndarray, y: np.ndarray) -> None:
    """See `ops.tanh_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        np.tanh(x, out=y)

    run(piece, x, y)


@computed_in_float32("dx")
def tanh_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    """See `ops.tanh_backward`."""

    def piece(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        slope = buffer("slope", y)
        np.multiply(y, y, out=slope)
        np.subtract(1, slope, out=slope)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, y, dx)

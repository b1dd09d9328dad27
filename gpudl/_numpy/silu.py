"""Sigmoid linear unit on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run, sigmoid
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def silu_forward(x: np.ndarray, y: np.ndarray) -> None:
    """See `ops.silu_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        divisor = buffer("divisor", x)
        np.negative(x, out=divisor)
        np.exp(divisor, out=divisor)
        divisor += 1
        np.divide(x, divisor, out=y)

    run(piece, x, y)


@computed_in_float32("dx")
def silu_backward(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
    """See `ops.silu_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        s, slope = sigmoid(x, buffer("sigmoid", x)), buffer("slope", x)
        np.subtract(1, s, out=slope)
        slope *= x
        slope += 1
        slope *= s
        np.multiply(dy, slope, out=dx)

    run(piece, dy, x, dx)

"""Logistic sigmoid on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run, sigmoid
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def sigmoid_forward(x: np.ndarray, y: np.ndarray) -> None:
    """See `ops.sigmoid_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        sigmoid(x, y)

    run(piece, x, y)


@computed_in_float32("dx")
def sigmoid_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    """See `ops.sigmoid_backward`."""

    def piece(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        slope = buffer("slope", y)
        np.subtract(1, y, out=slope)
        slope *= y
        np.multiply(dy, slope, out=dx)

    run(piece, dy, y, dx)

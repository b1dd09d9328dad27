"""Leaky rectified linear unit on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run
from gpudl._numpy._precision import computed_in_float32


def _slopes(x: np.ndarray, out: np.ndarray, negative_slope: float) -> None:
    """1 where x > 0, else negative_slope."""
    np.greater(x, 0, out=out)
    out *= x.dtype.type(1 - negative_slope)
    out += x.dtype.type(negative_slope)


@computed_in_float32("y")
def leaky_relu_forward(x: np.ndarray, y: np.ndarray, *, negative_slope: float) -> None:
    """See `ops.leaky_relu_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        slope = buffer("slope", x)
        _slopes(x, slope, negative_slope)
        np.multiply(x, slope, out=y)

    run(piece, x, y)


@computed_in_float32("dx")
def leaky_relu_backward(dy: np.ndarray, x: np.ndarray, dx: np.ndarray, *, negative_slope: float) -> None:
    """See `ops.leaky_relu_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        slope = buffer("slope", x)
        _slopes(x, slope, negative_slope)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, x, dx)

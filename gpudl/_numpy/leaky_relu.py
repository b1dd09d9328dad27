"""Leaky rectified linear unit on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import CHEAP, buffer, run
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def leaky_relu_forward(x: np.ndarray, y: np.ndarray, *, negative_slope: float) -> None:
    """See `ops.leaky_relu_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        if negative_slope:
            scaled = np.multiply(x, negative_slope, out=buffer("scaled", x))
            (np.maximum if negative_slope <= 1 else np.minimum)(x, scaled, out=y)
        else:  # a product with 0 would make NaN of inf
            np.multiply(x, _slopes(x, negative_slope), out=y)

    run(piece, x, y, alone=CHEAP)


@computed_in_float32("dx")
def leaky_relu_backward(dy: np.ndarray, x: np.ndarray, dx: np.ndarray, *, negative_slope: float) -> None:
    """See `ops.leaky_relu_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(dy, _slopes(x, negative_slope), out=dx)

    run(piece, dy, x, dx, alone=CHEAP)


def _slopes(x: np.ndarray, negative_slope: float) -> np.ndarray:
    """1 where x > 0, else negative_slope, in a buffer."""
    positive, slope = buffer("positive", x, np.bool_), buffer("slope", x)
    np.greater(x, 0, out=positive)
    np.copyto(slope, positive)
    slope *= 1 - negative_slope
    slope += negative_slope
    return slope

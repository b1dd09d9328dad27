"""Exponential linear unit on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def elu_forward(x: np.ndarray, y: np.ndarray, *, alpha: float) -> None:
    """See `ops.elu_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        low = buffer("low", x)
        np.minimum(x, 0, out=low)
        np.expm1(low, out=low)
        low *= x.dtype.type(alpha)
        np.maximum(x, 0, out=y)
        y += low

    run(piece, x, y)


@computed_in_float32("dx")
def elu_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray, *, alpha: float) -> None:
    """See `ops.elu_backward`."""

    def piece(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        slope = buffer("slope", y)
        np.minimum(y, 0, out=slope)
        slope += y.dtype.type(alpha)
        np.copyto(slope, 1, where=y > 0)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, y, dx)

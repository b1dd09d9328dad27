"""Hard swish on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def hardswish_forward(x: np.ndarray, y: np.ndarray) -> None:
    """See `ops.hardswish_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        gate = buffer("gate", x)
        np.add(x, 3, out=gate)
        np.clip(gate, x.dtype.type(0), x.dtype.type(6), out=gate)
        gate *= x
        np.multiply(gate, x.dtype.type(1 / 6), out=y)

    run(piece, x, y)


@computed_in_float32("dx")
def hardswish_backward(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
    """See `ops.hardswish_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        slope = buffer("slope", x)
        np.multiply(x, x.dtype.type(1 / 3), out=slope)
        slope += x.dtype.type(0.5)
        np.copyto(slope, 0, where=x <= -3)
        np.copyto(slope, 1, where=x >= 3)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, x, dx)

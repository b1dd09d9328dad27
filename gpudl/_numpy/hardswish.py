"""Hard swish on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import CHEAP, buffer, keep, run
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def hardswish_forward(x: np.ndarray, y: np.ndarray) -> None:
    """See `ops.hardswish_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        gate = buffer("gate", x)
        np.add(x, 3, out=gate)
        np.clip(gate, 0, 6, out=gate)
        gate *= x
        np.multiply(gate, 1 / 6, out=y)

    run(piece, x, y, alone=CHEAP)


@computed_in_float32("dx")
def hardswish_backward(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
    """See `ops.hardswish_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        """With the gate g = clip(x / 6 + 1 / 2, 0, 1), the slope is g + x / 6 where |x| < 3, else g."""
        slope, part, inside = buffer("slope", x), buffer("part", x), buffer("inside", x, np.bool_)
        np.abs(x, out=part)
        np.less(part, 3, out=inside)
        np.multiply(x, 1 / 6, out=part)
        np.add(part, 0.5, out=slope)
        np.clip(slope, 0, 1, out=slope)
        slope += keep(part, inside, part)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, x, dx)

"""Rectified linear unit with a bound on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import CHEAP, buffer, keep, run
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def relu6_forward(x: np.ndarray, y: np.ndarray) -> None:
    """See `ops.relu6_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        np.clip(x, 0, 6, out=y)

    run(piece, x, y, alone=CHEAP)


@computed_in_float32("dx")
def relu6_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    """See `ops.relu6_backward`."""

    def piece(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        kept, above = buffer("kept", y, np.bool_), buffer("above", y, np.bool_)
        np.less_equal(y, 0, out=kept)
        np.greater_equal(y, 6, out=above)
        kept |= above
        np.logical_not(kept, out=kept)
        keep(dy, kept, dx)

    run(piece, dy, y, dx, alone=CHEAP)

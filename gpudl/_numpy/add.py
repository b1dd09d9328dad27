"""Sum of two arrays in blocks of flat memory."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import computed_in_float32

_BLOCK = 1 << 18  # elements: long enough for a thread to be worth waking


@computed_in_float32("y")
def add_forward(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
    """y = a + b; all of one length."""
    pieces = _parallel.ranges(len(y), _BLOCK)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        np.add(a[piece], b[piece], out=y[piece])

    _parallel.run(block, len(pieces))

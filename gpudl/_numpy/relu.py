"""Rectified linear unit in blocks of flat memory."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import computed_in_float32

_BLOCK = 1 << 18  # elements: long enough for a thread to be worth waking
_INTEGER = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


@computed_in_float32("y")
def relu_forward(x: np.ndarray, y: np.ndarray) -> None:
    """y = max(x, 0); numpy.clip took half the time of numpy.maximum with a scalar."""
    zero, infinity = x.dtype.type(0), x.dtype.type(np.inf)
    pieces = _parallel.ranges(len(x), _BLOCK)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        np.clip(x[piece], zero, infinity, out=y[piece])

    _parallel.run(block, len(pieces))


@computed_in_float32("dx")
def relu_backward(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    """dx = dy where not y <= 0, else 0: the bits of dy under a mask of ones or zeros.

    A product with the mask would make NaN of an infinite dy.
    """
    integer = _INTEGER[dy.dtype]
    dy_bits, dx_bits = dy.view(integer), dx.view(integer)
    pieces = _parallel.ranges(len(y), _BLOCK)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        length = piece.stop - piece.start
        blocked = _parallel.scratch("relu_blocked", (length,), np.bool_)
        mask = _parallel.scratch("relu_mask", (length,), integer)
        np.less_equal(y[piece], y.dtype.type(0), out=blocked)
        np.copyto(mask, blocked.view(np.int8))
        np.subtract(mask, integer(1), out=mask)
        np.bitwise_and(dy_bits[piece], mask, out=dx_bits[piece])

    _parallel.run(block, len(pieces))

"""Dropout of whole channels: one factor for each row of the (N, C) table."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import philox
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.dropout import keep_factors

_BLOCK = 1 << 17  # elements: the block's part of y stays in cache


@computed_in_float32("y")
def dropout2d(x: np.ndarray, y: np.ndarray, *, p: float, seed: int, stream: int) -> None:
    """y[n, i, c] = x[n, i, c] * m[n, c]. x, y : (N, H * W, C)."""
    samples, positions, channels = x.shape
    if x.size == 0:
        return
    factors = np.empty(samples * channels, x.dtype)
    for first, last in philox.block_ranges(0, len(factors)):
        keep_factors(first, factors[first:last], p=p, seed=seed, stream=stream)
    table = factors.reshape(samples, 1, channels)
    pieces = _parallel.ranges(samples, max(1, _BLOCK // (positions * channels)))

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        np.multiply(x[piece], table[piece], out=y[piece])

    _parallel.run(block, len(pieces), blas=False)

"""Additive Gaussian noise in blocks of flat memory, the random numbers made where they are used."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import philox
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def gaussian_noise(x: np.ndarray, y: np.ndarray, *, std: float, seed: int, stream: int) -> None:
    """y = x + std * z. x, y : (M,)."""
    pieces = philox.block_ranges(0, len(x))

    def block(i: int) -> None:
        first, last = pieces[i]
        noise = philox.normals(first, last - first, x.dtype, seed=seed, stream=stream)
        noise *= x.dtype.type(std)
        np.add(x[first:last], noise, out=y[first:last])

    _parallel.run(block, len(pieces), blas=False)

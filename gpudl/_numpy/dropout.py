"""Dropout in blocks of flat memory, the random words made where they are used."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import philox
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def dropout(x: np.ndarray, y: np.ndarray, *, p: float, seed: int, stream: int) -> None:
    """y = x * m; a product, so that a dropped NaN or inf is NaN as in PyTorch. x, y : (M,)."""
    pieces = philox.block_ranges(0, len(x))

    def block(i: int) -> None:
        first, last = pieces[i]
        factors = _parallel.scratch("dropout_factors", (last - first,), x.dtype)
        keep_factors(first, factors, p=p, seed=seed, stream=stream)
        np.multiply(x[first:last], factors, out=y[first:last])

    _parallel.run(block, len(pieces), blas=False)


def keep_factors(first: int, factors: np.ndarray, *, p: float, seed: int, stream: int) -> None:
    """factors[j] = 0 where word first + j is below p * 2^32, else 1 / (1 - p)."""
    if p == 1:
        factors[...] = 0
        return
    made = philox.words(first, len(factors), seed=seed, stream=stream)
    kept = _parallel.scratch("dropout_kept", made.shape, np.bool_)
    threshold = min(round(p * 2.0**32), 2**32 - 1)
    np.greater_equal(made, np.uint32(threshold), out=kept)
    np.multiply(kept, factors.dtype.type(1 / (1 - p)), out=factors, dtype=factors.dtype)

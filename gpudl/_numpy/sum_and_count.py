"""A running sum of samples, one after the other, in float64."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel

_BLOCK = 1 << 16  # elements


def sum_and_count(values: np.ndarray, sums: np.ndarray, *, weight: float) -> None:
    """values : (N, D). sums : (2,) float64, weighted sum and weight of all, added to."""
    samples, size = values.shape
    terms = np.empty(1 + samples)
    terms[0] = sums[0]
    if size == 1:
        terms[1:] = values[:, 0]
    else:
        _sum_rows(values, terms[1:])
    with np.errstate(all="ignore"):
        terms[1:] *= weight
        # one after the other, where sum() would add pairs
        sums[0] = np.add.accumulate(terms, out=terms)[-1]
    sums[1] += weight * values.size


def _sum_rows(values: np.ndarray, sums: np.ndarray) -> None:
    samples, size = values.shape
    pieces = _parallel.ranges(samples, max(1, _BLOCK // max(size, 1)))

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        values[piece].astype(np.float64).sum(axis=1, out=sums[piece])

    _parallel.run(block, len(pieces), blas=False)

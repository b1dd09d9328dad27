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
    pieces = _parallel.ranges(samples, max(1, _BLOCK // max(size, 1)))

    def block(i: int) -> None:
        start, stop = pieces[i]
        with np.errstate(all="ignore"):
            values[start:stop].astype(np.float64).sum(axis=1, out=terms[1 + start : 1 + stop])

    _parallel.run(block, len(pieces), blas=False)
    with np.errstate(all="ignore"):
        terms[1:] *= weight
        sums[0] = np.add.accumulate(terms)[-1]  # one after the other, where sum() would add pairs
    sums[1] += weight * values.size

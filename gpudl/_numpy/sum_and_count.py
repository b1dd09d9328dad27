"""A running sum of samples, one after the other, in float64."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel

_BLOCK = 1 << 16  # elements


def sum_and_count(values: np.ndarray, sums: np.ndarray, *, weight: float) -> None:
    """values : (N, D). sums : (2,) float64, weighted sum and weight of all, added to."""
    samples, size = values.shape
    if size == 1:
        terms = values[:, 0]
    else:
        terms = np.empty(samples)
        _sum_rows(values, terms)
    with np.errstate(all="ignore"):
        sums[0] = _added_in_order(sums[0], terms, weight)
    sums[1] += weight * values.size


def _added_in_order(total: float, terms: np.ndarray, weight: float) -> float:
    """total + weight * terms[0] + weight * terms[1] + ..., rounded after each; terms : (N,).

    numpy.add.reduce would add pairs. numpy.subtract.reduce takes one after the other, so it gets the negatives; it
    keeps the sum in a register, where numpy.add.accumulate stores each.
    """
    for start, end in _parallel.ranges(len(terms), _BLOCK):
        negatives = _parallel.scratch("sum_and_count_negatives", (end - start,), np.float64)
        np.multiply(terms[start:end], -weight, out=negatives, dtype=np.float64)
        total = np.subtract.reduce(negatives, initial=total)
    return total


def _sum_rows(values: np.ndarray, sums: np.ndarray) -> None:
    samples, size = values.shape
    pieces = _parallel.ranges(samples, max(1, _BLOCK // max(size, 1)))

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        values[piece].astype(np.float64).sum(axis=1, out=sums[piece])

    _parallel.run(block, len(pieces), blas=False)

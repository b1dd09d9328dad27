"""A running sum and how much it is of, for means over many batches: contract."""

from __future__ import annotations

import math

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _counts


def sum_and_count(values: Array, *, weight: float = 1.0, add_to: Array | None = None) -> Array:
    """Add to (sum, count): sum += weight * values[n].sum() for n = 0, 1, ... in order; count += weight * values.size.

    values : (), (N,) or (N, ...) float16, bfloat16, float32 or float64, NumPy or CuPy; N are the samples.
    weight : what every value counts, a number >= 0.
    add_to : (2,) float64, contiguous, that is added to; None for a new one.

    Returns (2,) float64, add_to itself where given; it stays on the device of values, and nothing is read on the
    host. Raises ValueError and TypeError for what does not fit.

    Each sample is summed in float64 in an order that its shape gives, and the samples are added one after the
    other, so the bits depend neither on threads nor on how samples are cut into batches. NaN and inf propagate.
    """
    op = "sum_and_count"
    executor = _arrays.require_floats(op, values=values)
    factor = _arrays.real(op, "weight", weight, minimum=0)
    sums = _counts.counter(op, add_to, (2,), np.float64, {"values": values})
    samples = values.shape[0] if values.ndim else 1
    x = _arrays.contiguous(values).reshape(samples, math.prod(values.shape[1:]))
    executor.sum_and_count(x, sums, weight=factor)
    return sums

"""Layer normalisation one row at a time."""

import math

import numpy as np


def layer_norm(x, axes, weight=None, bias=None, eps=1e-5):
    """Normalise over the last `axes` axes."""
    x = np.array(x, np.float64)
    y = np.empty(x.shape)
    for index in np.ndindex(x.shape[: x.ndim - axes]):
        row = x[index]
        mean = math.fsum(row.flat) / row.size
        variance = math.fsum((value - mean) ** 2 for value in row.flat) / row.size
        y[index] = (row - mean) / math.sqrt(variance + eps)
    if weight is not None:
        y *= np.array(weight, np.float64)
    return y if bias is None else y + np.array(bias, np.float64)

"""Group normalisation one group of one sample at a time."""

import math

import numpy as np


def group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    x = np.array(x, np.float64)
    y = np.empty(x.shape)
    size = x.shape[1] // groups
    for n in range(x.shape[0]):
        for g in range(groups):
            channels = range(g * size, (g + 1) * size)
            values = [value for c in channels for value in np.ravel(x[n, c])]
            mean = math.fsum(values) / len(values)
            variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
            for c in channels:
                scale = 1.0 if weight is None else float(weight[c])
                shift = 0.0 if bias is None else float(bias[c])
                y[n, c] = (x[n, c] - mean) / math.sqrt(variance + eps) * scale + shift
    return y

"""Batch normalisation one channel at a time."""

import math

import numpy as np


def statistics(x):
    """Mean and biased variance of each channel."""
    rows = np.moveaxis(np.array(x, np.float64), 1, 0).reshape(x.shape[1], -1)
    means = [math.fsum(row) / len(row) for row in rows]
    variances = [
        math.fsum((value - mean) ** 2 for value in row) / len(row)
        for row, mean in zip(rows, means, strict=True)
    ]
    return np.array(means), np.array(variances)


def normalise(x, mean, variance, weight=None, bias=None, eps=1e-5):
    x = np.array(x, np.float64)
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        scale = 1.0 if weight is None else float(weight[c])
        shift = 0.0 if bias is None else float(bias[c])
        deviation = math.sqrt(float(variance[c]) + eps)
        for n in range(x.shape[0]):
            y[n, c] = (x[n, c] - float(mean[c])) / deviation * scale + shift
    return y


def batch_norm(x, weight=None, bias=None, eps=1e-5):
    return normalise(x, *statistics(x), weight, bias, eps)

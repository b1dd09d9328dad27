"""Gradients by central differences in float64. Imports nothing from gpudl."""

import numpy as np


def numerical_gradient(function, x, dy, step=1e-6):
    """Gradient of sum(function(x) * dy) with respect to x, by central differences.

    function : float64 array to float64 array, an oracle. Every element of x is moved by +-step.
    """
    x = np.array(x, np.float64)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + step
        above = np.sum(function(x) * dy)
        x[index] = value - step
        below = np.sum(function(x) * dy)
        x[index] = value
        gradient[index] = (above - below) / (2 * step)
    return gradient

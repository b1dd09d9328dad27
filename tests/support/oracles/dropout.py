"""Dropout of elements and of channels, one word for each, with the words of the Philox oracle."""

import numpy as np

from tests.support.oracles import philox


def factor(p, seed, stream, i):
    return 0.0 if p == 1 or philox.word(seed, stream, i) < round(p * 2**32) else 1 / (1 - p)


def dropout(x, p, seed, stream):
    x = np.asarray(x, np.float64)
    order = (0, 2, 3, 1) if x.ndim == 4 else tuple(range(x.ndim))
    moved = x.transpose(order)
    factors = np.array([factor(p, seed, stream, i) for i in range(x.size)]).reshape(moved.shape)
    return (moved * factors).transpose(np.argsort(order))


def dropout2d(x, p, seed, stream):
    y = np.array(x, np.float64)
    for n in range(y.shape[0]):
        for c in range(y.shape[1]):
            y[n, c] *= factor(p, seed, stream, n * y.shape[1] + c)
    return y


def gaussian_noise(x, std, seed, stream):
    x = np.asarray(x, np.float64)
    order = (0, 2, 3, 1) if x.ndim == 4 else tuple(range(x.ndim))
    moved = x.transpose(order)
    noise = philox.normal(seed, stream, 0, x.size).reshape(moved.shape)
    return (moved + std * noise).transpose(np.argsort(order))

"""Softmax of one row at a time."""

import math

import numpy as np


def softmax_forward(x, axis):
    moved = np.moveaxis(np.array(x, np.float64), axis, -1)
    y = np.empty(moved.shape)
    for index in np.ndindex(moved.shape[:-1]):
        row = moved[index]
        if not len(row):
            continue
        largest = max(row)
        powers = [math.exp(value - largest) for value in row]
        total = math.fsum(powers)
        y[index] = [power / total for power in powers]
    return np.moveaxis(y, -1, axis)


def log_softmax_forward(x, axis):
    moved = np.moveaxis(np.array(x, np.float64), axis, -1)
    y = np.empty(moved.shape)
    for index in np.ndindex(moved.shape[:-1]):
        row = moved[index]
        if not len(row):
            continue
        largest = max(row)
        logarithm = math.log(math.fsum(math.exp(value - largest) for value in row))
        y[index] = [value - largest - logarithm for value in row]
    return np.moveaxis(y, -1, axis)

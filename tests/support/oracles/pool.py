"""Pooling, window by window, in Python's floats. x is (N, C, H, W)."""

import math

import numpy as np


def extent(size, kernel, stride, padding, dilation, ceil_mode):
    count = 0
    while True:
        start = count * stride - padding
        last = start + dilation * (kernel - 1)
        fits = last < size + padding
        reaches = start < size and (start == -padding or last - stride < size + padding - 1)
        if not (fits or (ceil_mode and reaches)):
            return count
        count += 1


def windows(shape, kernel, stride, padding, dilation, ceil_mode):
    """(p, q, [(offset, h, w) inside x], elements of the padded window)."""
    H, W = shape[2:]
    P = extent(H, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    Q = extent(W, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    for p in range(P):
        for q in range(Q):
            inside, padded = [], 0
            for r in range(kernel[0]):
                for s in range(kernel[1]):
                    h = p * stride[0] - padding[0] + r * dilation[0]
                    w = q * stride[1] - padding[1] + s * dilation[1]
                    padded += h < H + padding[0] and w < W + padding[1]
                    if 0 <= h < H and 0 <= w < W:
                        inside.append((r * kernel[1] + s, h, w))
            yield p, q, inside, padded


def size(shape, *numbers):
    places = [(p, q) for p, q, _, _ in windows(shape, *numbers)]
    return (*shape[:2], places[-1][0] + 1, places[-1][1] + 1)


def max_pool2d(x, *numbers):
    """y, and the offset of the first largest element of each window."""
    y = np.full(size(x.shape, *numbers), -np.inf)
    offsets = np.zeros(y.shape, int)
    for p, q, inside, _ in windows(x.shape, *numbers):
        for n, c in np.ndindex(x.shape[:2]):
            first = True
            for offset, h, w in inside:
                value = float(x[n, c, h, w])
                if first or value > y[n, c, p, q] or math.isnan(value):
                    y[n, c, p, q], offsets[n, c, p, q] = value, offset
                first = False
    return y, offsets


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override):
    numbers = (kernel, stride, padding, (1, 1), ceil_mode)
    y = np.zeros(size(x.shape, *numbers))
    for p, q, inside, padded in windows(x.shape, *numbers):
        divisor = divisor_override or (padded if count_include_pad else len(inside))
        for n, c in np.ndindex(x.shape[:2]):
            y[n, c, p, q] = math.fsum(float(x[n, c, h, w]) for _, h, w in inside) / divisor
    return y


def adaptive(x, out, function):
    """function of the list of (value, h * W + w) of each bin."""
    N, C, H, W = x.shape
    y = np.zeros((N, C, *out))
    for n, c, p, q in np.ndindex(y.shape):
        rows = range(math.floor(p * H / out[0]), math.ceil((p + 1) * H / out[0]))
        columns = range(math.floor(q * W / out[1]), math.ceil((q + 1) * W / out[1]))
        y[n, c, p, q] = function([(float(x[n, c, h, w]), h * W + w) for h in rows for w in columns])
    return y


def mean(values):
    return math.fsum(value for value, _ in values) / len(values)


def largest(values):
    return max(value for value, _ in values)


def first_largest(values):
    top = largest(values)
    return next(index for value, index in values if value == top)

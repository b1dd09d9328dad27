"""Counting right answers, in Python loops."""

import math

import numpy as np


def comes_before(scores, c, t):
    """Whether class c is ranked before class t: NaN, then larger scores, then lower classes."""
    a, b = float(scores[c]), float(scores[t])
    if math.isnan(a) != math.isnan(b):
        return math.isnan(a)
    if a == b or math.isnan(a):
        return c < t
    return a > b


def rank(scores, t):
    return sum(comes_before(scores, c, t) for c in range(len(scores)))


def best(scores):
    return next(c for c in range(len(scores)) if rank(scores, c) == 0)


def samples(prediction, target):
    """(row of scores or class index, target) of each sample and position."""
    prediction, target = np.asarray(prediction), np.asarray(target)
    if prediction.ndim == target.ndim:
        for place in np.ndindex(target.shape):
            yield int(prediction[place]), int(target[place])
    elif target.ndim == 0:
        yield prediction, int(target)
    else:
        for place in np.ndindex(target.shape):
            yield prediction[(place[0], slice(None), *place[1:])], int(target[place])


def top_k_correct(prediction, target, k, ignore_index=None):
    correct = counted = 0
    for row, t in samples(prediction, target):
        if t != ignore_index:
            counted += 1
            correct += row == t if np.ndim(row) == 0 else rank(row, t) < k
    return [correct, counted]


def confusion_counts(prediction, target, num_classes, ignore_index=None):
    counts = np.zeros((num_classes, num_classes), np.int64)
    for row, t in samples(prediction, target):
        if t != ignore_index:
            counts[t, row if np.ndim(row) == 0 else best(row)] += 1
    return counts

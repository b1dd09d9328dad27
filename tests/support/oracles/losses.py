"""Losses of single elements and of rows of class scores, in Python's floats. Gradients come by finite differences."""

import math

import numpy as np


def mse(x, t):
    return (x - t) ** 2


def l1(x, t):
    return abs(x - t)


def smooth_l1(x, t, beta=1.0):
    d = abs(x - t)
    return 0.5 * d * d / beta if d < beta else d - 0.5 * beta


def huber(x, t, delta=1.0):
    d = abs(x - t)
    return 0.5 * d * d if d < delta else delta * (d - 0.5 * delta)


def kl_div(x, t, log_target=False):
    if log_target:
        return math.exp(t) * (t - x)
    return (t * math.log(t) if t > 0 else 0.0) - t * x


def binary_cross_entropy(x, t, weight=1.0):
    positive = max(math.log(x), -100.0) if x > 0 else -100.0
    negative = max(math.log(1 - x), -100.0) if x < 1 else -100.0
    return -weight * (t * positive + (1 - t) * negative)


def binary_cross_entropy_with_logits(x, t, weight=1.0, pos_weight=1.0):
    softplus = math.log1p(math.exp(-abs(x))) + max(-x, 0.0)  # -log(sigmoid(x))
    return weight * ((1 - t) * (softplus + x) + pos_weight * t * softplus)


def elementwise(function, prediction, target, extras=(), **numbers):
    x = np.asarray(prediction, np.float64)
    arrays = [np.broadcast_to(np.asarray(a, np.float64), x.shape) for a in (target, *extras)]
    loss = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        loss[index] = function(float(x[index]), *(float(a[index]) for a in arrays), **numbers)
    return loss


def reduce(loss, reduction, divisor=None):
    if reduction == "none":
        return loss
    total = math.fsum(loss.ravel().tolist())
    return np.float64(total if reduction == "sum" else total / (loss.size if divisor is None else divisor))


def log_softmax(row):
    top = max(row)
    total = math.log(math.fsum(math.exp(v - top) for v in row))
    return [v - top - total for v in row]


def class_loss(scores, target, weight, ignore_index, label_smoothing, reduction, *, from_logits):
    """scores : (N, C, ...) or (C,). Cross entropy with from_logits, else negative log likelihood."""
    scores, target = np.asarray(scores, np.float64), np.asarray(target)
    batch = scores if scores.ndim > 1 else scores[None]
    C = batch.shape[1]
    weight = [1.0] * C if weight is None else [float(w) for w in weight]
    places = (batch.shape[0], *batch.shape[2:])
    indices = target.dtype.kind in "iu"
    targets = target.reshape(places) if indices else target.reshape(batch.shape)
    loss, counted = np.zeros(places), np.zeros(places)
    for place in np.ndindex(places):
        row = [float(batch[(place[0], c, *place[1:])]) for c in range(C)]
        logs = log_softmax(row) if from_logits else row
        if indices:
            t = int(targets[place])
            if t == ignore_index:
                continue
            own = [1.0 if c == t else 0.0 for c in range(C)]
            counted[place] = weight[t]
        else:
            own = [float(targets[(place[0], c, *place[1:])]) for c in range(C)]
            counted[place] = 1
        for c in range(C):
            q = weight[c] * ((1 - label_smoothing) * own[c] + label_smoothing / C)
            loss[place] -= q * logs[c] if q else 0.0
    if reduction == "none":
        return loss if scores.ndim > 1 else loss[0]
    total = math.fsum(loss.ravel().tolist())
    return np.float64(total if reduction == "sum" else total / math.fsum(counted.ravel().tolist()))

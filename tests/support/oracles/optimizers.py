"""One optimizer step on one number, in float64, from the update rules as published."""

import math


def sgd_step(g, p, buffer, step, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """Returns (p, buffer)."""
    g = (-g if maximize else g) + weight_decay * p
    if momentum:
        buffer = g if step == 1 else momentum * buffer + (1 - dampening) * g
        g = g + momentum * buffer if nesterov else buffer
    return p - lr * g, buffer


def adam_step(g, p, m, v, largest, step, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled):
    """Returns (p, m, v, largest)."""
    g = -g if maximize else g
    if decoupled:
        p = p - lr * weight_decay * p
    else:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    largest = max(largest, v) if amsgrad else largest
    corrected = math.sqrt(largest if amsgrad else v) / math.sqrt(1 - beta2**step)
    return p - lr * (m / (1 - beta1**step)) / (corrected + eps), m, v, largest


def rmsprop_step(
    g, p, v, mean, buffer, step, lr, alpha, eps, weight_decay, momentum, centered, maximize, inside
):
    """Returns (p, v, mean, buffer)."""
    g = (-g if maximize else g) + weight_decay * p
    v = alpha * v + (1 - alpha) * g * g
    variance = v
    if centered:
        mean = alpha * mean + (1 - alpha) * g
        variance = v - mean * mean
    d = g / math.sqrt(variance + eps) if inside else g / (math.sqrt(variance) + eps)
    if momentum:
        buffer = momentum * buffer + d
        d = buffer
    return p - lr * d, v, mean, buffer

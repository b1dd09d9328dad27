"""Activations of single numbers."""

import math


def leaky_relu(x, negative_slope=0.01):
    return x if x > 0 else negative_slope * x


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * math.expm1(x)


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * math.erfc(-x / math.sqrt(2))


def silu(x):
    return x * sigmoid(x)


def hardswish(x):
    return x * min(max(x + 3, 0.0), 6.0) / 6


def relu6(x):
    return min(max(x, 0.0), 6.0)


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def tanh(x):
    return math.tanh(x)


def softplus(x, beta=1.0, threshold=20.0):
    return x if beta * x > threshold else math.log1p(math.exp(beta * x)) / beta

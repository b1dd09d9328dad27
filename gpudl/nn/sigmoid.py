"""Sigmoid layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._activation import Activation


class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)). Follows torch.nn.Sigmoid."""

    operators = (ops.sigmoid_forward, ops.sigmoid_backward)
    saves = "y"

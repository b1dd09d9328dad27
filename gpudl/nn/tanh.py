"""Tanh layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._activation import Activation


class Tanh(Activation):
    """y = tanh(x). Follows torch.nn.Tanh."""

    operators = (ops.tanh_forward, ops.tanh_backward)
    saves = "y"

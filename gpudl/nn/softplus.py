"""Softplus layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays, _losses


class Softplus(Activation):
    """y = log(1 + exp(beta * x)) / beta, and x where beta * x > threshold. beta : > 0.

    Follows torch.nn.Softplus.
    """

    operators = (ops.softplus_forward, ops.softplus_backward)
    saves = "x"

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta = _losses.positive("Softplus", "beta", beta)
        self.threshold = _arrays.real("Softplus", "threshold", threshold)

    def _numbers(self) -> dict[str, Any]:
        return {"beta": self.beta, "threshold": self.threshold}

    def extra_repr(self) -> str:
        return f"beta={self.beta!r}, threshold={self.threshold!r}"

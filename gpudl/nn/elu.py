"""ELU layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays


class ELU(Activation):
    """y = x where x > 0, else alpha * (exp(x) - 1).

    alpha : >= 0. inplace : True writes y into x, which saves its memory; nobody else may need x.

    Follows torch.nn.ELU.
    """

    operators = (ops.elu_forward, ops.elu_backward)
    saves = "y"

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__()
        self.alpha = _arrays.real("ELU", "alpha", alpha, minimum=0)
        self.inplace = _arrays.boolean("ELU", "inplace", inplace)

    def _numbers(self) -> dict[str, Any]:
        return {"alpha": self.alpha}

    def extra_repr(self) -> str:
        return f"alpha={self.alpha!r}, inplace={self.inplace!r}"

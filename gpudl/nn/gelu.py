"""GELU layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays
from gpudl.ops.gelu import APPROXIMATIONS


class GELU(Activation):
    """y = x * P(Z <= x) for a standard normal Z. approximate : "none", or "tanh" for the formula with tanh.

    Follows torch.nn.GELU.
    """

    operators = (ops.gelu_forward, ops.gelu_backward)
    saves = "x"

    def __init__(self, approximate: str = "none"):
        super().__init__()
        _arrays.one_of("GELU", "approximate", approximate, APPROXIMATIONS)
        self.approximate = approximate

    def _numbers(self) -> dict[str, Any]:
        return {"approximate": self.approximate}

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"

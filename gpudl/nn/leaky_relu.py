"""LeakyReLU layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays


class LeakyReLU(Activation):
    """y = x where x > 0, else negative_slope * x. Follows torch.nn.LeakyReLU.

    negative_slope : any finite number; at least 0 with inplace=True.
    inplace : True writes y into x, which saves its memory; nobody else may need x.
    """

    operators = (ops.leaky_relu_forward, ops.leaky_relu_backward)
    saves = "y"

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__()
        self.negative_slope = _arrays.real("LeakyReLU", "negative_slope", negative_slope)
        if inplace and self.negative_slope < 0:
            raise ValueError(
                f"LeakyReLU: negative_slope must be at least 0 with inplace=True, got {self.negative_slope}"
            )
        self.saves = "y" if self.negative_slope >= 0 else "x"
        self.inplace = _arrays.boolean("LeakyReLU", "inplace", inplace)

    def _numbers(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope}

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope!r}, inplace={self.inplace!r}"

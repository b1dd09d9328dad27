"""SiLU layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays


class SiLU(Activation):
    """y = x * sigmoid(x). Follows torch.nn.SiLU.

    inplace : True writes y into x; backward then keeps a copy of x. Nobody else may need x.
    """

    operators = (ops.silu_forward, ops.silu_backward)
    saves = "x"

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = _arrays.boolean("SiLU", "inplace", inplace)

    def extra_repr(self) -> str:
        return f"inplace={self.inplace!r}"

"""Hardswish layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays


class Hardswish(Activation):
    """y = x * min(max(x + 3, 0), 6) / 6. Follows torch.nn.Hardswish.

    inplace : True writes y into x; backward then keeps a copy of x. Nobody else may need x.
    """

    operators = (ops.hardswish_forward, ops.hardswish_backward)
    saves = "x"

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = _arrays.boolean("Hardswish", "inplace", inplace)

    def extra_repr(self) -> str:
        return f"inplace={self.inplace!r}"

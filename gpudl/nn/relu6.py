"""ReLU6 layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays


class ReLU6(Activation):
    """y = min(max(x, 0), 6). inplace : True writes y into x, which saves its memory; nobody else may need x.

    Follows torch.nn.ReLU6.
    """

    operators = (ops.relu6_forward, ops.relu6_backward)
    saves = "y"

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = _arrays.boolean("ReLU6", "inplace", inplace)

    def extra_repr(self) -> str:
        return f"inplace={self.inplace!r}"

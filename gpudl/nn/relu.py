"""ReLU layer."""

from __future__ import annotations

from gpudl import ops
from gpudl.nn._activation import Activation
from gpudl.ops import _arrays


class ReLU(Activation):
    """y = max(x, 0). Follows torch.nn.ReLU.

    inplace : True writes y into x, which saves its memory. The layer before must not need its own result in
    backward, and nobody else x.
    """

    operators = (ops.relu_forward, ops.relu_backward)
    saves = "y"

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = _arrays.boolean("ReLU", "inplace", inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

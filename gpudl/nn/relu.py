"""Rectified linear unit layer."""

from __future__ import annotations

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module


class ReLU(Module):
    """y = max(x, 0). Follows torch.nn.ReLU.

    inplace : True writes y into x, which saves its memory. The layer before must not need its own result in
    backward, and nobody else x.
    """

    def __init__(self, inplace: bool = False):
        super().__init__()
        if not isinstance(inplace, bool):
            raise TypeError(f"ReLU: inplace must be a bool, got {type(inplace).__name__}")
        self.inplace = inplace

    def forward(self, x: Array) -> Array:
        """x : any shape. Returns y, shaped as x (x itself with inplace=True)."""
        y = ops.relu_forward(x, out=x if self.inplace else None)
        self.save_for_backward(y)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        y = self.saved_for_backward()
        return ops.relu_backward(dy, y) if self.input_requires_grad else None

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

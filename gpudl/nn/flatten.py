"""Flatten layer."""

from __future__ import annotations

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class Flatten(Module):
    """Axes start_dim to end_dim made one, elements in C order of (N, C, H, W). Follows torch.nn.Flatten."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim = _arrays.integer("Flatten", "start_dim", start_dim, minimum=-64)
        self.end_dim = _arrays.integer("Flatten", "end_dim", end_dim, minimum=-64)

    def forward(self, x: Array) -> Array:
        """x : any shape that has the axes. Returns y, e.g. (N, C * H * W) for (N, C, H, W)."""
        y = ops.flatten_forward(x, self.start_dim, self.end_dim)
        self.save_for_backward(x.shape)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        shape = self.saved_for_backward()
        return ops.flatten_backward(dy, shape) if self.input_requires_grad else None

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"

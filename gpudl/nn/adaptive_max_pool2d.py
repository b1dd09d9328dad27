"""Adaptive max pooling layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays, _pool


class AdaptiveMaxPool2d(Module):
    """The largest elements of P x Q bins that cover x. output_size : an int, or a pair of ints; None keeps an extent.

    return_indices : True returns (y, indices), indices = h * W + w as int64. Bins as in `AdaptiveAvgPool2d`.
    Follows torch.nn.AdaptiveMaxPool2d.
    """

    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__()
        _pool.adaptive_size("AdaptiveMaxPool2d", output_size, (1, 1))
        _arrays.one_of("AdaptiveMaxPool2d", "return_indices", return_indices, (False, True))
        self.output_size = output_size
        self.return_indices = bool(return_indices)

    def forward(self, x: Array) -> Array | tuple[Array, Array]:
        """x : (N, C, H, W) or (C, H, W). Returns y : (N, C, P, Q) or (C, P, Q), or (y, indices)."""
        y, indices = ops.adaptive_max_pool2d_forward(x, self.output_size)
        self.save_for_backward(indices, x.shape)
        return (y, indices) if self.return_indices else y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        indices, shape = self.saved_for_backward()
        return ops.adaptive_max_pool2d_backward(dy, indices, shape) if self.input_requires_grad else None

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"

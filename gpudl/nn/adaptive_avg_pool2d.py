"""Adaptive average pooling layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays, _pool


class AdaptiveAvgPool2d(Module):
    """The means of P x Q bins that cover x. output_size : an int, or a pair of ints; None keeps an extent.

    Bin i of m over n elements is [floor(i n / m), ceil((i + 1) n / m)). Follows torch.nn.AdaptiveAvgPool2d.
    """

    def __init__(self, output_size: Any):
        super().__init__()
        _pool.adaptive_size("AdaptiveAvgPool2d", output_size, (1, 1))
        self.output_size = output_size

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W) or (C, H, W). Returns y : (N, C, P, Q) or (C, P, Q)."""
        y = ops.adaptive_avg_pool2d_forward(x, self.output_size)
        self.save_for_backward(x.shape, y.shape)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        shape, y_shape = self.saved_for_backward()
        _arrays.require_floats("AdaptiveAvgPool2d", dy=dy)  # here, as the operator takes any number of bins
        _arrays.require_shape("AdaptiveAvgPool2d", "dy", dy, y_shape, "that of y")
        return ops.adaptive_avg_pool2d_backward(dy, shape) if self.input_requires_grad else None

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"

"""Global average pooling layer."""

from __future__ import annotations

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module


class GlobalAvgPool2d(Module):
    """The mean of each channel: (N, C, H, W) to (N, C, 1, 1), as AdaptiveAvgPool2d(1). Lin et al., ICLR 2014."""

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W) or (C, H, W). Returns y : (N, C, 1, 1) or (C, 1, 1)."""
        y = ops.global_avg_pool2d_forward(x)
        self.save_for_backward(x.shape)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        shape = self.saved_for_backward()
        return ops.global_avg_pool2d_backward(dy, shape) if self.input_requires_grad else None

"""Average pooling layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays, _pool


class AvgPool2d(Module):
    """The mean of each window; outside x is zero.

    kernel_size, stride, padding : int or (int, int), in pixels; stride None is kernel_size, padding at most half of
    kernel_size. ceil_mode : True rounds the output size up. count_include_pad : False divides by the elements
    inside x only. divisor_override : divides by this int >= 1 instead. Follows torch.nn.AvgPool2d.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__()
        numbers = _pool.window("AvgPool2d", kernel_size, stride, padding)
        self.kernel_size, self.stride, self.padding, _ = numbers.values()
        _arrays.one_of("AvgPool2d", "ceil_mode", ceil_mode, (False, True))
        _arrays.one_of("AvgPool2d", "count_include_pad", count_include_pad, (False, True))
        if divisor_override is not None:
            divisor_override = _arrays.integer("AvgPool2d", "divisor_override", divisor_override, minimum=1)
        self.ceil_mode = bool(ceil_mode)
        self.count_include_pad = bool(count_include_pad)
        self.divisor_override = divisor_override

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W) or (C, H, W). Returns y : (N, C, P, Q) or (C, P, Q)."""
        y = ops.avg_pool2d_forward(x, self.kernel_size, **self._numbers())
        self.save_for_backward(x.shape)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        shape = self.saved_for_backward()
        if not self.input_requires_grad:
            return None
        return ops.avg_pool2d_backward(dy, shape, self.kernel_size, **self._numbers())

    def _numbers(self) -> dict[str, Any]:
        return {
            "stride": self.stride, "padding": self.padding, "ceil_mode": self.ceil_mode,
            "count_include_pad": self.count_include_pad, "divisor_override": self.divisor_override,
        }  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"

"""Max pooling layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl._grad_mode import is_grad_enabled
from gpudl.nn.module import Module
from gpudl.ops import _arrays, _pool


class MaxPool2d(Module):
    """The largest element of each window; outside x is -inf.

    kernel_size, stride, padding, dilation : int or (int, int), in pixels; stride None is kernel_size, padding at most
    half of kernel_size. return_indices : True returns (y, indices), indices = h * W + w as int64.
    ceil_mode : True rounds the output size up.

    Backward keeps one byte for each window (two above 256 elements), not an index. Follows torch.nn.MaxPool2d.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        numbers = _pool.window("MaxPool2d", kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride, self.padding, self.dilation = numbers.values()
        _arrays.one_of("MaxPool2d", "return_indices", return_indices, (False, True))
        _arrays.one_of("MaxPool2d", "ceil_mode", ceil_mode, (False, True))
        self.return_indices = bool(return_indices)
        self.ceil_mode = bool(ceil_mode)

    def forward(self, x: Array) -> Array | tuple[Array, Array]:
        """x : (N, C, H, W) or (C, H, W). Returns y : (N, C, P, Q) or (C, P, Q), or (y, indices)."""
        needs_offsets = self.return_indices or is_grad_enabled()
        result = ops.max_pool2d_forward(x, self.kernel_size, needs_offsets=needs_offsets, **self._numbers())
        y, offsets = result if needs_offsets else (result, None)
        self.save_for_backward(offsets, x.shape)
        if not self.return_indices:
            return y
        return y, ops.max_pool2d_indices(offsets, x.shape, self.kernel_size, **self._numbers())

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        offsets, shape = self.saved_for_backward()
        if not self.input_requires_grad:
            return None
        return ops.max_pool2d_backward(dy, offsets, shape, self.kernel_size, **self._numbers())

    def _numbers(self) -> dict[str, Any]:
        return {
            "stride": self.stride, "padding": self.padding, "dilation": self.dilation, "ceil_mode": self.ceil_mode,
        }  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )

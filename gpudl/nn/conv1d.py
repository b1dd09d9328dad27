"""1-D convolution layer."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._convolution import Convolution


class Conv1d(Convolution):
    """y = x cross-correlated with `out_channels` filters along its last axis, plus bias.

    The arguments are those of Conv2d for one axis. weight (K, C / groups, S) and bias (K,) start from
    U(-b, b), b = 1 / sqrt(C / groups * S). Follows torch.nn.Conv1d.
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: Any = None,
    ):
        super().__init__()
        self._set_numbers(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self._make_parameters(shape, bias, device, dtype)

    def forward(self, x: Array) -> Array:
        """x : (N, C, L) or (C, L), dtype and device of weight. Returns y : (N, K, Q) or (K, Q)."""
        if self.padding_mode != "zeros":
            x = ops.pad2d_forward(x[..., None, :], self._border(), mode=self.padding_mode)[..., 0, :]
        y = ops.conv1d_forward(x, self.weight.data, self._bias_data(), **self._numbers())
        self.save_for_backward(x, y.shape)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Accumulates into weight.grad and bias.grad; returns dx, shaped as x."""
        x, y_shape = self.saved_for_backward()
        self._require_dy(dy, x, y_shape)
        if self.weight.requires_grad:
            self.weight.accumulate(ops.conv1d_backward_weight, dy, x, self.weight.shape, **self._numbers())
        if self.bias is not None and self.bias.requires_grad:
            self.bias.accumulate(ops.conv1d_backward_bias, dy)
        if not self.input_requires_grad:
            return None
        dx = ops.conv1d_backward_data(dy, self.weight.data, x.shape, **self._numbers())
        if self.padding_mode != "zeros":
            dx = ops.pad2d_backward(dx[..., None, :], self._border(), mode=self.padding_mode)[..., 0, :]
        return dx

    def _numbers(self) -> dict[str, Any]:
        padding = self.padding if self.padding_mode == "zeros" else 0
        return {"stride": self.stride, "padding": padding, "dilation": self.dilation, "groups": self.groups}

    def _border(self) -> tuple[int, int, int, int]:
        return (*self._sides[0], 0, 0)

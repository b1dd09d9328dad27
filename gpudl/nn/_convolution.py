"""What Conv1d, Conv2d and ConvTranspose2d share: checked arguments, parameters, initial values, text."""

from __future__ import annotations

import math
from typing import Any

from gpudl import init
from gpudl._backend import Array
from gpudl.nn._factory import empty_parameter
from gpudl.nn.module import Module
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays, _convolution
from gpudl.ops.pad import PADDING_MODES


class Convolution(Module):
    """Arguments and state of a convolution over `axes` axes; the directions are the subclass's."""

    axes: int
    weight: Parameter
    bias: Parameter | None

    def _set_numbers(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        padding_mode: str,
    ) -> None:
        name, axes = type(self).__name__, self.axes
        self.in_channels = _arrays.integer(name, "in_channels", in_channels, minimum=1)
        self.out_channels = _arrays.integer(name, "out_channels", out_channels, minimum=1)
        self.kernel_size = _arrays.integers(name, "kernel_size", kernel_size, axes, minimum=1)
        geometry = _convolution.geometry(name, self.kernel_size, stride, padding, dilation, groups)
        self.stride, self.dilation, self.groups = geometry.stride, geometry.dilation, geometry.groups
        self.padding = (
            padding if isinstance(padding, str) else tuple(before for before, _ in geometry.padding)
        )
        self._sides = geometry.padding
        for argument, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % self.groups:
                raise ValueError(f"{name}: groups must divide {argument}, got {self.groups} and {channels}")
        _arrays.one_of(name, "padding_mode", padding_mode, PADDING_MODES)
        self.padding_mode = padding_mode

    def _make_parameters(self, shape: tuple[int, ...], bias: bool, device: str | None, dtype: Any) -> None:
        name = type(self).__name__
        with_bias = _arrays.boolean(name, "bias", bias)
        self.weight = empty_parameter(name, shape, device, dtype, channels_last=True)
        self.bias = empty_parameter(name, (self.out_channels,), device, dtype) if with_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: U(-b, b) for both, b = 1 / sqrt(fan_in)."""
        bound = 1 / math.sqrt(init.fans(type(self).__name__, self.weight)[0])
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def _require_dy(self, dy: Array, x: Array, y_shape: tuple[int, ...]) -> None:
        """Check all of dy first: the gradient of bias alone takes any number of pixels."""
        name = type(self).__name__
        _arrays.require_floats(name, x=x, dy=dy)
        _arrays.require_shape(name, "dy", dy, y_shape, "that of y")

    def _bias_data(self) -> Any:
        return None if self.bias is None else self.bias.data

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        once = (1,) * self.axes
        for name, default in (
            ("padding", (0,) * self.axes), ("dilation", once), ("output_padding", (0,) * self.axes),
            ("groups", 1), ("padding_mode", "zeros"),
        ):  # fmt: skip
            value = getattr(self, name, default)
            if value != default:
                parts.append(f"{name}={value!r}")
        return ", ".join(parts + ([] if self.bias is not None else ["bias=False"]))

    def forward_flops(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return 2 * (math.prod(y_shape) // self.out_channels) * self.weight.size

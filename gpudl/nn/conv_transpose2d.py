"""2-D transposed convolution layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._convolution import Convolution
from gpudl.ops import _arrays


class ConvTranspose2d(Convolution):
    """Each pixel of x spread over a window by a filter: the gradient of Conv2d used as a layer, plus bias.

    in_channels, out_channels : C and K, divisible by groups.
    kernel_size, stride, padding, output_padding, dilation : int or (int, int), in pixels.
    groups : each group of channels reaches its own group of filters. bias : False for no bias.
    padding_mode : "zeros", the only one that has a meaning here.
    device : "cpu", "simt" or "cuda"; the one of `use_backend` by default. dtype : float32 by default.

    weight (C, K / groups, R, S) and bias (K,) start from U(-b, b), b = 1 / sqrt(K / groups * R * S).
    Follows torch.nn.ConvTranspose2d.
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: str | None = None,
        dtype: Any = None,
    ):
        super().__init__()
        if isinstance(padding, str):
            raise TypeError(f"ConvTranspose2d: padding must be an int or 2 ints, got {padding!r}")
        _arrays.one_of("ConvTranspose2d", "padding_mode", padding_mode, ("zeros",))
        self._set_numbers(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        self.output_padding = _arrays.integers(
            "ConvTranspose2d", "output_padding", output_padding, 2, minimum=0
        )
        for extra, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(s, d):
                raise ValueError(
                    "ConvTranspose2d: output_padding must be less than stride or dilation, got "
                    f"{self.output_padding} with stride {self.stride} and dilation {self.dilation}"
                )
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        self._make_parameters(shape, bias, device, dtype)

    def forward(self, x: Array, output_size: Sequence[int] | None = None) -> Array:
        """x : (N, C, H, W) or (C, H, W), dtype and device of weight. Returns y : (N, K, P, Q) or (K, P, Q).

        output_size : (P, Q), or the shape of y, out of those that the stride leaves open; None takes output_padding.
        """
        numbers = self._numbers()
        if output_size is not None:
            numbers["output_padding"] = self._extra_for(x, output_size)
        y = ops.conv_transpose2d_forward(x, self.weight.data, self._bias_data(), **numbers)
        self.save_for_backward(x, y.shape, numbers)
        return y

    def _extra_for(self, x: Array, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that gives `output_size`."""
        op = "ConvTranspose2d"
        _arrays.require_floats(op, x=x)
        _arrays.require_ndim(op, "x", x, "(N, C, H, W)", unbatched=True)
        if not isinstance(output_size, tuple | list) or len(output_size) not in (2, x.ndim):
            raise ValueError(
                f"{op}: output_size must be None, 2 ints or {x.ndim} ints for x {x.shape}, got {output_size!r}"
            )
        wanted = [_arrays.integer(op, "output_size", extent, minimum=0) for extent in output_size[-2:]]
        columns = zip(x.shape[-2:], self.stride, self._sides, self.dilation, self.kernel_size, strict=True)
        least = [(h - 1) * s - sum(sides) + d * (r - 1) + 1 for h, s, sides, d, r in columns]
        most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
        if not all(low <= p <= high for low, p, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"{op}: output_size must be from {tuple(least)} to {tuple(most)} for x {x.shape}, "
                f"got {tuple(output_size)}"
            )
        return tuple(p - low for p, low in zip(wanted, least, strict=True))

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Accumulates into weight.grad and bias.grad; returns dx, shaped as x."""
        x, y_shape, numbers = self.saved_for_backward()
        self._require_dy(dy, x, y_shape)
        if self.weight.requires_grad:
            self.weight.accumulate(ops.conv_transpose2d_backward_weight, dy, x, self.weight.shape, **numbers)
        if self.bias is not None and self.bias.requires_grad:
            self.bias.accumulate(ops.conv_transpose2d_backward_bias, dy)
        if not self.input_requires_grad:
            return None
        return ops.conv_transpose2d_backward_data(dy, self.weight.data, x.shape, **numbers)

    def _numbers(self) -> dict[str, Any]:
        return {
            "stride": self.stride, "padding": self.padding, "output_padding": self.output_padding,
            "dilation": self.dilation, "groups": self.groups,
        }  # fmt: skip

    def forward_flops(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return 2 * (math.prod(x_shape) // self.in_channels) * self.weight.size

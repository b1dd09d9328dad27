"""Group normalisation."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._factory import full_buffer
from gpudl.nn.module import Module
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays


class GroupNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias for each group of channels of a sample of x (N, C, ...).

    num_groups : G, at least 1. num_channels : C, divisible by G. eps : at least 0.
    affine : False for no weight and bias. bias : False for no bias.
    device : "cpu", "simt" or "cuda"; the one of `use_backend` by default. dtype : float32 by default.

    weight and bias : (C,), 1 and 0 at first. Follows torch.nn.GroupNorm.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        name = "GroupNorm"
        self.num_groups = _arrays.integer(name, "num_groups", num_groups, minimum=1)
        self.num_channels = _arrays.integer(name, "num_channels", num_channels, minimum=1)
        if num_channels % num_groups:
            raise ValueError(
                f"{name}: num_channels must be divisible by num_groups, got {num_channels} and {num_groups}"
            )
        self.eps = _arrays.real(name, "eps", eps, minimum=0.0)
        self.affine = _arrays.boolean(name, "affine", affine)
        with_bias = _arrays.boolean(name, "bias", bias) and affine
        shape = (self.num_channels,)
        self.weight = Parameter(full_buffer(name, shape, 1, device, dtype)) if affine else None
        self.bias = Parameter(full_buffer(name, shape, 0, device, dtype)) if with_bias else None

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                _arrays.write(parameter.data, value)

    def forward(self, x: Array) -> Array:
        """x : (N, C, ...), dtype and device of the layer. Returns y, shaped as x."""
        _arrays.require_floats("GroupNorm", x=x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(f"GroupNorm: x must have shape (N, {self.num_channels}, ...), got {x.shape}")
        weight, bias = (None if p is None else p.data for p in (self.weight, self.bias))
        y, mean, rstd = ops.group_norm_forward(x, self.num_groups, weight, bias, eps=self.eps)
        self.save_for_backward(x, mean, rstd)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Accumulates into weight.grad and bias.grad; returns dx, shaped as x."""
        x, mean, rstd = self.saved_for_backward()
        dx, dweight, dbias = ops.group_norm_backward(
            dy, x, mean, rstd, None if self.weight is None else self.weight.data,
            input_gradient=self.input_requires_grad,
            weight_gradient=self.weight is not None and self.weight.requires_grad,
            bias_gradient=self.bias is not None and self.bias.requires_grad,
        )  # fmt: skip
        if dweight is not None:
            self.weight.accumulate_grad(dweight)
        if dbias is not None:
            self.bias.accumulate_grad(dbias)
        return dx

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )

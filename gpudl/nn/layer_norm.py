"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn._factory import full_buffer
from gpudl.nn.module import Module
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays
from gpudl.ops.layer_norm import normalized_axes


class LayerNorm(Module):
    """y = (x - mean) / sqrt(var + eps) * weight + bias over the last axes of x (..., *normalized_shape).

    normalized_shape : an int or several, each at least 1. eps : at least 0.
    elementwise_affine : False for no weight and bias. bias : False for no bias.
    device : "cpu", "simt" or "cuda"; the one of `use_backend` by default. dtype : float32 by default.

    weight and bias : normalized_shape, 1 and 0 at first. Follows torch.nn.LayerNorm.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | None = None,
        dtype: Any = None,
    ):
        super().__init__()
        name = "LayerNorm"
        shape = self.normalized_shape = normalized_axes(name, normalized_shape)
        self.eps = _arrays.real(name, "eps", eps, minimum=0.0)
        self.elementwise_affine = _arrays.boolean(name, "elementwise_affine", elementwise_affine)
        self.weight = Parameter(full_buffer(name, shape, 1, device, dtype)) if elementwise_affine else None
        with_bias = _arrays.boolean(name, "bias", bias) and elementwise_affine
        self.bias = Parameter(full_buffer(name, shape, 0, device, dtype)) if with_bias else None

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                _arrays.write(parameter.data, value)

    def forward(self, x: Array) -> Array:
        """x : (..., *normalized_shape), dtype and device of the layer. Returns y, shaped as x."""
        weight, bias = (None if p is None else p.data for p in (self.weight, self.bias))
        y, mean, rstd = ops.layer_norm_forward(x, self.normalized_shape, weight, bias, eps=self.eps)
        self.save_for_backward(x, mean, rstd)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Accumulates into weight.grad and bias.grad; returns dx, shaped as x."""
        x, mean, rstd = self.saved_for_backward()
        dx, dweight, dbias = ops.layer_norm_backward(
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
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )

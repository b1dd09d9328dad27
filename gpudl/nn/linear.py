"""Linear layer."""

from __future__ import annotations

import math
from typing import Any

from gpudl import init, ops
from gpudl._backend import Array
from gpudl.nn._factory import empty_parameter
from gpudl.nn.module import Module
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays


class Linear(Module):
    """y = x @ weight.T + bias on the last axis.

    in_features, out_features : extents I and O, at least 1.
    bias : False for no bias.
    device : "cpu", "simt" or "cuda"; the one of `use_backend` by default. dtype : float32 by default.

    weight (O, I) and bias (O,) start from U(-1/sqrt(I), 1/sqrt(I)). Follows torch.nn.Linear.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | None = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in_features = _arrays.integer("Linear", "in_features", in_features, minimum=1)
        self.out_features = _arrays.integer("Linear", "out_features", out_features, minimum=1)
        with_bias = _arrays.boolean("Linear", "bias", bias)
        self.weight = empty_parameter("Linear", (out_features, in_features), device, dtype)
        self.bias = empty_parameter("Linear", (out_features,), device, dtype) if with_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Array) -> Array:
        """x : (..., I), dtype and device of weight. Returns y : (..., O)."""
        y = ops.linear_forward(x, self.weight.data, None if self.bias is None else self.bias.data)
        self.save_for_backward(x)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : (..., O). Accumulates into weight.grad and bias.grad; returns dx : (..., I)."""
        x = self.saved_for_backward()
        _arrays.require_floats("Linear", x=x, dy=dy)
        _arrays.require_shape("Linear", "dy", dy, (*x.shape[:-1], self.weight.shape[0]), "that of y")
        if self.weight.requires_grad:
            self.weight.accumulate(ops.linear_backward_weight, dy, x)
        if self.bias is not None and self.bias.requires_grad:
            self.bias.accumulate(ops.linear_backward_bias, dy)
        return ops.linear_backward_data(dy, self.weight.data) if self.input_requires_grad else None

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")

    def forward_flops(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return 2 * math.prod(y_shape) * self.in_features

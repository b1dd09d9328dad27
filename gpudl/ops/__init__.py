"""Operators without state: every forward and every backward, on NumPy and CuPy arrays."""

from gpudl.ops.linear import (
    linear_backward_bias,
    linear_backward_data,
    linear_backward_weight,
    linear_forward,
)

__all__ = [
    "linear_backward_bias",
    "linear_backward_data",
    "linear_backward_weight",
    "linear_forward",
]

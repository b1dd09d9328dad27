"""The NumPy executor: one function per operator, arithmetic only.

Arguments are what `gpudl.ops` guarantees: checked, dense (channels-last where 3-D or 4-D activations),
results allocated. Inputs come first, then the arrays to write, then keyword-only numbers.
"""

from gpudl._numpy.linear import (
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

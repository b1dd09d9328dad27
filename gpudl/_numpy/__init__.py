"""The NumPy executor: one function per operator, arithmetic only.

Arguments are what `gpudl.ops` guarantees: checked, dense (channels-last where 3-D or 4-D activations),
results allocated. Inputs come first, then the arrays to write, then keyword-only numbers.
"""

from gpudl._numpy.adam import adam_step
from gpudl._numpy.add import add_forward
from gpudl._numpy.concat import concat_backward, concat_forward
from gpudl._numpy.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_data,
    conv2d_backward_weight,
    conv2d_forward,
)
from gpudl._numpy.conv_transpose2d import (
    conv_transpose2d_backward_bias,
    conv_transpose2d_backward_data,
    conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
)
from gpudl._numpy.dropout import dropout
from gpudl._numpy.dropout2d import dropout2d
from gpudl._numpy.flat import (
    flat_average,
    flat_clamp,
    flat_nonfinite_partials,
    flat_norm_partials,
    flat_scale,
)
from gpudl._numpy.flatten import reshape
from gpudl._numpy.gaussian_noise import gaussian_noise
from gpudl._numpy.linear import (
    linear_backward_bias,
    linear_backward_data,
    linear_backward_weight,
    linear_forward,
)
from gpudl._numpy.pad import pad2d_backward, pad2d_forward
from gpudl._numpy.philox import philox_normal, philox_uint32, philox_uint32_rows, philox_uniform
from gpudl._numpy.relu import relu_backward, relu_forward
from gpudl._numpy.rmsprop import rmsprop_step
from gpudl._numpy.sgd import sgd_step
from gpudl._numpy.softmax import log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward

__all__ = [
    "adam_step",
    "add_forward",
    "concat_backward",
    "concat_forward",
    "conv2d_backward_bias",
    "conv2d_backward_data",
    "conv2d_backward_weight",
    "conv2d_forward",
    "conv_transpose2d_backward_bias",
    "conv_transpose2d_backward_data",
    "conv_transpose2d_backward_weight",
    "conv_transpose2d_forward",
    "dropout",
    "dropout2d",
    "flat_average",
    "flat_clamp",
    "flat_nonfinite_partials",
    "flat_norm_partials",
    "flat_scale",
    "gaussian_noise",
    "linear_backward_bias",
    "linear_backward_data",
    "linear_backward_weight",
    "linear_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "pad2d_backward",
    "pad2d_forward",
    "philox_normal",
    "philox_uint32",
    "philox_uint32_rows",
    "philox_uniform",
    "relu_backward",
    "relu_forward",
    "reshape",
    "rmsprop_step",
    "sgd_step",
    "softmax_backward",
    "softmax_forward",
]

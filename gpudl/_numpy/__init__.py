"""The NumPy executor: one function per operator, arithmetic only.

Arguments are what `gpudl.ops` guarantees: checked, dense (channels-last where 3-D or 4-D activations),
results allocated. Inputs come first, then the arrays to write, then keyword-only numbers.
"""

from gpudl._numpy.adam import adam_step
from gpudl._numpy.adaptive_avg_pool2d import adaptive_avg_pool2d_backward, adaptive_avg_pool2d_forward
from gpudl._numpy.adaptive_max_pool2d import adaptive_max_pool2d_backward, adaptive_max_pool2d_forward
from gpudl._numpy.add import add_forward
from gpudl._numpy.avg_pool2d import avg_pool2d_backward, avg_pool2d_forward
from gpudl._numpy.batch_norm import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_inference_backward,
)
from gpudl._numpy.binary_cross_entropy import binary_cross_entropy_backward, binary_cross_entropy_forward
from gpudl._numpy.binary_cross_entropy_with_logits import (
    binary_cross_entropy_with_logits_backward,
    binary_cross_entropy_with_logits_forward,
)
from gpudl._numpy.concat import concat_backward, concat_forward
from gpudl._numpy.confusion_counts import confusion_counts
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
from gpudl._numpy.cross_entropy import cross_entropy_forward, loss_reduce, scale_rows
from gpudl._numpy.dropout import dropout
from gpudl._numpy.dropout2d import dropout2d
from gpudl._numpy.elu import elu_backward, elu_forward
from gpudl._numpy.flat import (
    flat_average,
    flat_clamp,
    flat_clip_factor,
    flat_nonfinite_partials,
    flat_norm,
    flat_norm_partials,
    flat_scale,
)
from gpudl._numpy.gaussian_noise import gaussian_noise
from gpudl._numpy.gelu import gelu_backward, gelu_forward
from gpudl._numpy.global_avg_pool2d import global_avg_pool2d_backward, global_avg_pool2d_forward
from gpudl._numpy.group_norm import group_norm_backward, group_norm_forward
from gpudl._numpy.hardswish import hardswish_backward, hardswish_forward
from gpudl._numpy.huber_loss import huber_loss_backward, huber_loss_forward
from gpudl._numpy.image_affine import image_affine
from gpudl._numpy.image_augment import image_augment
from gpudl._numpy.image_color import image_color
from gpudl._numpy.image_crop import image_crop
from gpudl._numpy.image_erase import image_erase
from gpudl._numpy.image_normalize import image_normalize
from gpudl._numpy.image_resize import image_resize
from gpudl._numpy.kl_div import kl_div_backward, kl_div_forward
from gpudl._numpy.l1_loss import l1_loss_backward, l1_loss_forward
from gpudl._numpy.layer_norm import layer_norm_backward, layer_norm_forward
from gpudl._numpy.layout import copy, to_channels_last, to_contiguous
from gpudl._numpy.leaky_relu import leaky_relu_backward, leaky_relu_forward
from gpudl._numpy.linear import (
    linear_backward_bias,
    linear_backward_data,
    linear_backward_weight,
    linear_forward,
)
from gpudl._numpy.max_pool2d import max_pool2d_backward, max_pool2d_forward, max_pool2d_indices
from gpudl._numpy.mse_loss import mse_loss_backward, mse_loss_forward
from gpudl._numpy.nll_loss import nll_loss_forward
from gpudl._numpy.pad import pad2d_backward, pad2d_forward
from gpudl._numpy.philox import philox_normal, philox_uint32, philox_uint32_rows, philox_uniform
from gpudl._numpy.relu import relu_backward, relu_forward
from gpudl._numpy.relu6 import relu6_backward, relu6_forward
from gpudl._numpy.rmsprop import rmsprop_step
from gpudl._numpy.sgd import sgd_step
from gpudl._numpy.sigmoid import sigmoid_backward, sigmoid_forward
from gpudl._numpy.silu import silu_backward, silu_forward
from gpudl._numpy.smooth_l1_loss import smooth_l1_loss_backward, smooth_l1_loss_forward
from gpudl._numpy.softmax import log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward
from gpudl._numpy.softplus import softplus_backward, softplus_forward
from gpudl._numpy.sum_and_count import sum_and_count
from gpudl._numpy.tanh import tanh_backward, tanh_forward
from gpudl._numpy.top_k_correct import top_k_correct

__all__ = [
    "adam_step",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool2d_forward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool2d_forward",
    "add_forward",
    "avg_pool2d_backward",
    "avg_pool2d_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "binary_cross_entropy_backward",
    "binary_cross_entropy_forward",
    "binary_cross_entropy_with_logits_backward",
    "binary_cross_entropy_with_logits_forward",
    "concat_backward",
    "concat_forward",
    "confusion_counts",
    "conv2d_backward_bias",
    "conv2d_backward_data",
    "conv2d_backward_weight",
    "conv2d_forward",
    "conv_transpose2d_backward_bias",
    "conv_transpose2d_backward_data",
    "conv_transpose2d_backward_weight",
    "conv_transpose2d_forward",
    "copy",
    "cross_entropy_forward",
    "dropout",
    "dropout2d",
    "elu_backward",
    "elu_forward",
    "flat_average",
    "flat_clamp",
    "flat_clip_factor",
    "flat_nonfinite_partials",
    "flat_norm",
    "flat_norm_partials",
    "flat_scale",
    "gaussian_noise",
    "gelu_backward",
    "gelu_forward",
    "global_avg_pool2d_backward",
    "global_avg_pool2d_forward",
    "group_norm_backward",
    "group_norm_forward",
    "hardswish_backward",
    "hardswish_forward",
    "huber_loss_backward",
    "huber_loss_forward",
    "image_affine",
    "image_augment",
    "image_color",
    "image_crop",
    "image_erase",
    "image_normalize",
    "image_resize",
    "kl_div_backward",
    "kl_div_forward",
    "l1_loss_backward",
    "l1_loss_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "linear_backward_bias",
    "linear_backward_data",
    "linear_backward_weight",
    "linear_forward",
    "log_softmax_backward",
    "log_softmax_forward",
    "loss_reduce",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "max_pool2d_indices",
    "mse_loss_backward",
    "mse_loss_forward",
    "nll_loss_forward",
    "pad2d_backward",
    "pad2d_forward",
    "philox_normal",
    "philox_uint32",
    "philox_uint32_rows",
    "philox_uniform",
    "relu6_backward",
    "relu6_forward",
    "relu_backward",
    "relu_forward",
    "rmsprop_step",
    "scale_rows",
    "sgd_step",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "smooth_l1_loss_backward",
    "smooth_l1_loss_forward",
    "softmax_backward",
    "softmax_forward",
    "softplus_backward",
    "softplus_forward",
    "sum_and_count",
    "tanh_backward",
    "tanh_forward",
    "to_channels_last",
    "to_contiguous",
    "top_k_correct",
]

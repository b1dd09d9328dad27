"""Operators without state: every forward and every backward, on NumPy and CuPy arrays."""

from gpudl.ops.adam import adam_step
from gpudl.ops.adaptive_avg_pool2d import adaptive_avg_pool2d_backward, adaptive_avg_pool2d_forward
from gpudl.ops.adaptive_max_pool2d import adaptive_max_pool2d_backward, adaptive_max_pool2d_forward
from gpudl.ops.add import add_forward
from gpudl.ops.avg_pool2d import avg_pool2d_backward, avg_pool2d_forward
from gpudl.ops.batch_norm import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_inference_backward,
)
from gpudl.ops.binary_cross_entropy import binary_cross_entropy_backward, binary_cross_entropy_forward
from gpudl.ops.binary_cross_entropy_with_logits import (
    binary_cross_entropy_with_logits_backward,
    binary_cross_entropy_with_logits_forward,
)
from gpudl.ops.concat import concat_backward, concat_forward
from gpudl.ops.confusion_counts import confusion_counts
from gpudl.ops.conv1d import (
    conv1d_backward_bias,
    conv1d_backward_data,
    conv1d_backward_weight,
    conv1d_forward,
)
from gpudl.ops.conv2d import (
    conv2d_backward_bias,
    conv2d_backward_data,
    conv2d_backward_weight,
    conv2d_forward,
)
from gpudl.ops.conv_transpose2d import (
    conv_transpose2d_backward_bias,
    conv_transpose2d_backward_data,
    conv_transpose2d_backward_weight,
    conv_transpose2d_forward,
)
from gpudl.ops.cross_entropy import cross_entropy_backward, cross_entropy_forward
from gpudl.ops.dropout import dropout_backward, dropout_forward
from gpudl.ops.dropout2d import dropout2d_backward, dropout2d_forward
from gpudl.ops.elu import elu_backward, elu_forward
from gpudl.ops.flat import (
    flat_average,
    flat_clamp,
    flat_clip_norm,
    flat_has_nonfinite,
    flat_norm,
    flat_scale,
)
from gpudl.ops.flatten import flatten_backward, flatten_forward
from gpudl.ops.gaussian_noise import gaussian_noise_forward
from gpudl.ops.gelu import gelu_backward, gelu_forward
from gpudl.ops.global_avg_pool2d import global_avg_pool2d_backward, global_avg_pool2d_forward
from gpudl.ops.group_norm import group_norm_backward, group_norm_forward
from gpudl.ops.hardswish import hardswish_backward, hardswish_forward
from gpudl.ops.huber_loss import huber_loss_backward, huber_loss_forward
from gpudl.ops.image_affine import image_affine
from gpudl.ops.image_augment import image_augment
from gpudl.ops.image_color import image_color
from gpudl.ops.image_crop import image_crop
from gpudl.ops.image_erase import image_erase
from gpudl.ops.image_normalize import image_normalize
from gpudl.ops.image_resize import image_resize
from gpudl.ops.kl_div import kl_div_backward, kl_div_forward
from gpudl.ops.l1_loss import l1_loss_backward, l1_loss_forward
from gpudl.ops.layer_norm import layer_norm_backward, layer_norm_forward
from gpudl.ops.leaky_relu import leaky_relu_backward, leaky_relu_forward
from gpudl.ops.linear import (
    linear_backward_bias,
    linear_backward_data,
    linear_backward_weight,
    linear_forward,
)
from gpudl.ops.max_pool2d import max_pool2d_backward, max_pool2d_forward, max_pool2d_indices
from gpudl.ops.mse_loss import mse_loss_backward, mse_loss_forward
from gpudl.ops.nll_loss import nll_loss_backward, nll_loss_forward
from gpudl.ops.pad import pad2d_backward, pad2d_forward
from gpudl.ops.philox import philox_normal, philox_uint32, philox_uint32_rows, philox_uniform
from gpudl.ops.relu import relu_backward, relu_forward
from gpudl.ops.relu6 import relu6_backward, relu6_forward
from gpudl.ops.rmsprop import rmsprop_step
from gpudl.ops.sgd import sgd_step
from gpudl.ops.sigmoid import sigmoid_backward, sigmoid_forward
from gpudl.ops.silu import silu_backward, silu_forward
from gpudl.ops.smooth_l1_loss import smooth_l1_loss_backward, smooth_l1_loss_forward
from gpudl.ops.softmax import log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward
from gpudl.ops.softplus import softplus_backward, softplus_forward
from gpudl.ops.sum_and_count import sum_and_count
from gpudl.ops.tanh import tanh_backward, tanh_forward
from gpudl.ops.top_k_correct import top_k_correct

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
    "conv1d_backward_bias",
    "conv1d_backward_data",
    "conv1d_backward_weight",
    "conv1d_forward",
    "conv2d_backward_bias",
    "conv2d_backward_data",
    "conv2d_backward_weight",
    "conv2d_forward",
    "conv_transpose2d_backward_bias",
    "conv_transpose2d_backward_data",
    "conv_transpose2d_backward_weight",
    "conv_transpose2d_forward",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "dropout2d_backward",
    "dropout2d_forward",
    "dropout_backward",
    "dropout_forward",
    "elu_backward",
    "elu_forward",
    "flat_average",
    "flat_clamp",
    "flat_clip_norm",
    "flat_has_nonfinite",
    "flat_norm",
    "flat_scale",
    "flatten_backward",
    "flatten_forward",
    "gaussian_noise_forward",
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
    "max_pool2d_backward",
    "max_pool2d_forward",
    "max_pool2d_indices",
    "mse_loss_backward",
    "mse_loss_forward",
    "nll_loss_backward",
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
    "top_k_correct",
]

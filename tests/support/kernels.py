"""The kernels on the CPU: built when the first test asks for them; and which operators have none yet."""

import functools
import importlib.util

import pytest

from gpudl import simt

# Operators of NumPy without a CUDA kernel. Whoever writes one takes its name out; tests that meet one of these on simt
# or cuda are skipped with its name.
WITHOUT_KERNEL = frozenset(
    [
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
        "cross_entropy_forward",
        "flat_average",
        "flat_clamp",
        "flat_nonfinite_partials",
        "flat_norm_partials",
        "flat_scale",
        "group_norm_backward",
        "group_norm_forward",
        "huber_loss_backward",
        "huber_loss_forward",
        "kl_div_backward",
        "kl_div_forward",
        "l1_loss_backward",
        "l1_loss_forward",
        "layer_norm_backward",
        "layer_norm_forward",
        "linear_backward_bias",
        "linear_backward_data",
        "linear_backward_weight",
        "linear_forward",
        "log_softmax_backward",
        "log_softmax_forward",
        "loss_reduce",
        "mse_loss_backward",
        "mse_loss_forward",
        "nll_loss_forward",
        "pad2d_backward",
        "pad2d_forward",
        "reshape",
        "scale_rows",
        "smooth_l1_loss_backward",
        "smooth_l1_loss_forward",
        "softmax_backward",
        "softmax_forward",
        "sum_and_count",
        "top_k_correct",
    ]
)


def require_simt(variant="fast"):
    """Build a variant of gpudl's kernels, once a session; skip the test where that cannot be done here."""
    reason = _built(variant)
    if reason is not None:
        pytest.skip(f"simt: {reason}")


@functools.cache
def _built(variant):
    if (reason := simt.unavailable_because()) is not None:
        return reason
    if importlib.util.find_spec("pybind11") is None:
        return "pybind11 is not installed"
    simt.build_own(variant)  # what the compiler refuses is a failure, not a reason to skip
    return None


def checked(order="forward", seed=0, *, eager_copies=False):
    """`gpudl.simt.checked`, or a skip where it cannot be built here."""
    require_simt("check")
    return simt.checked(order, seed, eager_copies=eager_copies)

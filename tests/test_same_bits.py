"""Which kernels give NumPy's very bits, random masks above all, and which those of the CPU executor on a GPU too.

docs/kernels.md tells it to users.
"""

import re
from pathlib import Path

import pytest

from gpudl import _backend, _numpy
from tests.support.arrays import COMPILED
from tests.support.kernel_calls import CALLS
from tests.support.kernel_calls.base import bits_of, copied
from tests.support.kernels import require_simt
from tests.support.tolerances import DTYPES

PAGE = Path(__file__).parents[1] / "docs" / "kernels.md"

BITS_OF_NUMPY = (
    "adam_step", "adaptive_max_pool2d_backward", "adaptive_max_pool2d_forward", "add_forward",
    "avg_pool2d_backward", "avg_pool2d_forward", "binary_cross_entropy_backward", "concat_backward",
    "concat_forward", "copy", "dropout", "dropout2d", "elu_backward", "flat_average", "flat_clamp", "flat_clip_factor",
    "flat_nonfinite_partials", "flat_scale", "global_avg_pool2d_backward", "hardswish_backward",
    "hardswish_forward", "huber_loss_backward", "image_affine", "image_augment", "image_color", "image_crop", "image_erase",
    "image_normalize", "image_resize", "l1_loss_backward", "leaky_relu_backward", "leaky_relu_forward",
    "max_pool2d_backward", "max_pool2d_forward", "max_pool2d_indices", "mse_loss_backward",
    "pad2d_backward", "pad2d_forward", "philox_uint32", "philox_uint32_rows", "philox_uniform",
    "relu6_backward", "relu6_forward", "relu_backward", "relu_forward", "scale_rows", "sgd_step",
    "sigmoid_backward", "smooth_l1_loss_backward", "tanh_backward", "to_channels_last", "to_contiguous",
)  # fmt: skip
# Their kernels call exp, log, pow and the like, which CUDA's library and the host's round in their own ways.
TRANSCENDENTAL = {
    "adam_step", "binary_cross_entropy_forward", "binary_cross_entropy_with_logits_backward",
    "binary_cross_entropy_with_logits_forward", "cross_entropy_forward", "elu_forward", "flat_norm", "flat_norm_partials",
    "gaussian_noise", "gelu_backward", "gelu_forward", "kl_div_backward", "kl_div_forward", "log_softmax_backward",
    "log_softmax_forward", "philox_normal", "sigmoid_forward", "silu_backward", "silu_forward", "softmax_forward",
    "softplus_backward", "softplus_forward", "tanh_forward",
}  # fmt: skip


def moved(argument, backend):
    if isinstance(argument, list):
        return [moved(item, backend) for item in argument]
    return None if argument is None else _backend.move(argument, backend)


def results(kernels, backend, operator, arrays, numbers):
    """The bits of all arrays after a call of the operator on copies of them."""
    arrays = moved(copied(arrays), backend)
    getattr(kernels, operator)(*arrays, **numbers)
    return bits_of(moved(arrays, "cpu"))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operator", BITS_OF_NUMPY)
@pytest.mark.parametrize("backend", COMPILED)
def test_same_bits_as_numpy(backend, operator, dtype):
    if backend == "simt":
        require_simt()
    kernels = _backend._load(backend)
    for arrays, numbers in CALLS[operator](dtype):
        expected = results(_numpy, "cpu", operator, arrays, numbers)
        assert results(kernels, backend, operator, arrays, numbers) == expected


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operator", sorted(CALLS.keys() - TRANSCENDENTAL))
def test_a_gpu_gives_the_bits_of_the_executor(operator, dtype):
    if (reason := _backend.unavailable_because("cuda")) is not None:
        pytest.skip(f"cuda: {reason}")
    require_simt()
    for arrays, numbers in CALLS[operator](dtype):
        expected = results(_backend._load("simt"), "cpu", operator, arrays, numbers)
        assert results(_backend._load("cuda"), "cuda", operator, arrays, numbers) == expected


def test_the_page_names_them():
    _, same, within = re.split("## The bits of NumPy|## Within tolerance", PAGE.read_text())
    kernels = [set(re.findall(r"`(\w+_\w+|copy|dropout|dropout2d)`", part)) for part in (same, within)]
    counts = {
        "confusion_counts",
        "top_k_correct",
    }  # integers, which test_confusion_counts and the like hold exact
    assert kernels == [{*BITS_OF_NUMPY, *counts}, CALLS.keys() - {*BITS_OF_NUMPY, *counts}]

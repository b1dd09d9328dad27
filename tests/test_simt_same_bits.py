"""Operators whose kernels give NumPy's very bits, random masks above all; the others agree within their tolerances."""

import pytest

from gpudl import _backend, _numpy
from tests.support.kernel_calls import CALLS
from tests.support.kernel_calls.base import bits_of, copied
from tests.support.kernels import require_simt
from tests.support.tolerances import DTYPES

EVERY_DTYPE = (
    "adaptive_max_pool2d_backward", "adaptive_max_pool2d_forward", "add_forward", "avg_pool2d_backward",
    "avg_pool2d_forward", "concat_backward", "concat_forward", "copy", "dropout", "dropout2d",
    "flat_average", "flat_clamp", "flat_nonfinite_partials", "flat_scale", "global_avg_pool2d_backward",
    "huber_loss_backward", "image_affine", "image_color", "image_crop", "image_erase", "image_normalize",
    "image_resize", "l1_loss_backward", "max_pool2d_forward", "max_pool2d_indices", "mse_loss_backward",
    "pad2d_backward", "pad2d_forward", "philox_uint32", "philox_uint32_rows", "philox_uniform",
    "relu6_backward", "relu6_forward", "relu_backward", "relu_forward", "scale_rows", "sgd_step",
    "smooth_l1_loss_backward", "to_channels_last", "to_contiguous",
)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operator", EVERY_DTYPE)
def test_same_bits_as_numpy(operator, dtype):
    require_simt()
    kernels = _backend._load("simt")
    for arrays, numbers in CALLS[operator](dtype):
        twins = copied(arrays)
        getattr(kernels, operator)(*arrays, **numbers)
        getattr(_numpy, operator)(*twins, **numbers)
        assert bits_of(arrays) == bits_of(twins)

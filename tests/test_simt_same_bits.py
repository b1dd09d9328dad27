"""Operators whose kernels give NumPy's very bits, random masks above all; the others agree within their tolerances."""

import pytest

from gpudl import _backend, _numpy
from tests.support.kernel_calls import CALLS
from tests.support.kernels import require_simt
from tests.support.tolerances import DTYPES

EVERY_DTYPE = (
    "adaptive_max_pool2d_backward", "adaptive_max_pool2d_forward", "add_forward", "avg_pool2d_backward",
    "avg_pool2d_forward", "dropout", "dropout2d", "global_avg_pool2d_backward", "image_affine",
    "image_color", "image_crop", "image_erase", "image_normalize", "image_resize", "max_pool2d_forward",
    "max_pool2d_indices", "philox_uint32", "philox_uint32_rows", "philox_uniform", "relu6_backward",
    "relu6_forward", "relu_backward", "relu_forward", "sgd_step",
)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operator", EVERY_DTYPE)
def test_same_bits_as_numpy(operator, dtype):
    require_simt()
    kernels = _backend._load("simt")
    for arrays, numbers in CALLS[operator](dtype):
        if arrays[-1] is not None and arrays[-1].size == 0:
            continue  # the image operators are not called where there is nothing to make
        twins = [None if array is None else array.copy("K") for array in arrays]
        getattr(kernels, operator)(*arrays, **numbers)
        getattr(_numpy, operator)(*twins, **numbers)
        for array, twin in zip(arrays, twins, strict=True):
            if array is not None:
                assert array.tobytes() == twin.tobytes()

"""Copies between C-contiguous and channels-last memory."""

import numpy as np
import pytest

from gpudl import ops
from gpudl.ops import _arrays
from tests.support.arrays import LAYOUTS, random_array, unmodified, with_layout
from tests.support.kernels import checked
from tests.support.tolerances import DTYPES

# (C, positions) thinner than a tile of 32 either way, whole tiles, tails, one element, none.
SHAPES = [
    (2, 3, 5, 7), (3, 1, 1, 1), (1, 31, 33, 1), (2, 32, 8, 4), (1, 33, 31, 3), (2, 100, 2, 2), (1, 3, 37, 61), (0, 2, 3, 4),
    (2, 0, 3, 4), (2, 65, 33), (3, 2, 1025),
    # On NumPy: rows whose starts share cache lines' places, few rows, and one sample and several as more than one block.
    (2, 40, 512), (2, 3, 16, 16), (1, 24, 12001), (12, 90, 512), (1, 2048, 49),
]  # fmt: skip


def numbered(shape, dtype):
    return (np.arange(np.prod(shape, dtype=int)) % 251).reshape(shape).astype(dtype)


def is_channels_last(x):
    return np.moveaxis(x, 1, -1).flags.c_contiguous


@pytest.mark.parametrize("dtype", [*DTYPES, np.dtype(np.uint8)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_there_and_back(executor, shape, dtype):
    values = numbered(shape, dtype)
    x = executor.array(values)
    with unmodified(x):
        y = _arrays.channels_last(x)
    assert is_channels_last(y)
    assert (executor.numpy(y) == values).all()
    with unmodified(y):
        back = _arrays.contiguous(y)
    assert back.flags.c_contiguous
    assert (executor.numpy(back) == values).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int64, np.bool_])
def test_any_memory_and_dtypes_that_no_operator_takes(executor, dtype, layout):
    x = executor.array(with_layout(numbered((2, 3, 5, 4), dtype), layout))
    with unmodified(x):
        last, first = _arrays.channels_last(x), _arrays.contiguous(x)
    assert is_channels_last(last)
    assert first.flags.c_contiguous
    assert (executor.numpy(last) == executor.numpy(x)).all()
    assert (executor.numpy(first) == executor.numpy(x)).all()


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided", "reversed", "unaligned"])
@pytest.mark.parametrize("source", ["contiguous", "channels_last"])
def test_out_in_any_memory(executor, source, layout):
    x = random_array((2, 3, 5, 4), np.float32)
    out = executor.array(with_layout(np.zeros_like(x), layout))
    assert ops.relu_forward(executor.array(with_layout(x, source)), out=out) is out
    assert (executor.numpy(out) == np.maximum(x, 0)).all()


def test_the_kernels_are_ours():
    x = random_array((2, 40, 6, 6), np.float32)
    with checked() as executor:
        _arrays.contiguous(_arrays.channels_last(x))
        _arrays.channels_last(x[:, :3].copy())
        used = {buffer.kernel for buffer in executor.profile().buffers}
    assert used == {"transpose_kernel<unsigned int>", "transpose_thin_kernel<unsigned int>"}

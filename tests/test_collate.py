"""default_collate: every kind of sample, stacked item by item."""

import collections

import ml_dtypes
import numpy as np
import pytest

from gpudl.data import default_collate
from tests.support.arrays import assert_refuses, bad_calls, random_array, with_layout

Point = collections.namedtuple("Point", ["x", "label"])


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [([1, 2], np.int64), ([1.5, 2], np.float64), ([True, False], np.bool_), ([np.float32(1), np.float32(2)], np.float32),
     ([np.uint8(1), np.int16(2)], np.int16)],
)  # fmt: skip
def test_numbers(samples, dtype):
    batch = default_collate(samples)
    assert batch.dtype == dtype
    assert (batch == samples).all()


@pytest.mark.parametrize("layout", ["contiguous", "strided", "reversed", "read_only"])
def test_arrays(layout):
    samples = [with_layout(random_array((3, 4, 5), seed=i), layout) for i in range(3)]
    batch = default_collate(samples)
    assert (batch == np.stack(samples)).all()
    assert not any(np.shares_memory(batch, sample) for sample in samples)


def test_images_stored_with_their_channels_last_stay_so():
    samples = [random_array((4, 5, 3), np.float32, seed=i).transpose(2, 0, 1) for i in range(2)]
    batch = default_collate(samples)
    assert batch.shape == (2, 3, 4, 5)
    assert batch.transpose(0, 2, 3, 1).flags.c_contiguous
    assert (batch == np.stack(samples)).all()


def test_structures_keep_their_form():
    samples = [{"image": np.full(2, i), "pair": (i, [i, "name"]), "point": Point(i, i)} for i in range(3)]
    batch = default_collate(samples)
    assert batch["image"].shape == (3, 2)
    numbers, (again, names) = batch["pair"]
    assert isinstance(batch["pair"], tuple)
    assert isinstance(batch["pair"][1], list)
    assert (numbers == [0, 1, 2]).all()
    assert (again == [0, 1, 2]).all()
    assert names == ["name"] * 3
    assert isinstance(batch["point"], Point)
    assert (batch["point"].label == [0, 1, 2]).all()
    assert default_collate([b"a", b"b"]) == [b"a", b"b"]


@pytest.mark.torch
def test_tensors():
    torch = pytest.importorskip("torch")
    batch = default_collate([(torch.ones(2, requires_grad=True) * i, i) for i in range(3)])
    assert (batch[0] == [[0, 0], [1, 1], [2, 2]]).all()
    half = default_collate([torch.tensor([1.5, -2], dtype=torch.bfloat16)] * 2)
    assert half.dtype == ml_dtypes.bfloat16
    assert (half.astype(float) == [[1.5, -2]] * 2).all()


def test_pillow_images():
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    batch = default_collate([image_module.fromarray(pixels)] * 2)
    assert (batch == pixels.transpose(2, 0, 1)).all()
    assert batch.dtype == np.uint8
    gray = default_collate([image_module.fromarray(pixels[..., 0])])
    assert gray.shape == (1, 1, 4, 5)
    mask = image_module.fromarray(pixels[..., 0]).convert("1")
    assert default_collate([mask]).dtype == np.uint8


@bad_calls(
    ("none", lambda: default_collate([]), ValueError, "expected at least one sample, got none"),
    ("shapes", lambda: default_collate([np.ones(2), np.ones(3)]), ValueError, "one shape, got (2,) and (3,)"),
    ("lengths", lambda: default_collate([(1, 2), (1,)]), ValueError, "must have as many items, got [1, 2]"),
    (
        "huge",
        lambda: default_collate([1, 1 << 63]),
        ValueError,
        "ints must fit in int64, got 9223372036854775808",
    ),
    ("kind", lambda: default_collate([object()]), TypeError, "got object; give the loader a collate_fn"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

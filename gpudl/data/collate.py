"""Samples to a batch: what the `collate_fn` of a loader does by default."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpudl import _backend
from gpudl.data.dataset import SampleBatch
from gpudl.ops import _arrays

_PILLOW_MODES = {
    "1": "L",
    "P": "RGB",
    "PA": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}


def default_collate(samples: Sequence[Any]) -> Any:
    """Stack samples along a new first axis, item by item of what they hold.

    Arrays, NumPy numbers and PyTorch tensors become one array; bool, int and float become arrays of bool,
    int64 and float64; Pillow images an array (N, C, H, W); text and bytes a list. Tuples, named tuples, lists
    and dicts keep their form, with batches inside.

    Raises ValueError where shapes or lengths differ, TypeError for what is none of these.
    Follows torch.utils.data.default_collate, but tuples stay tuples and Pillow images are taken.
    """
    if isinstance(samples, SampleBatch):
        return samples.columns
    if len(samples) == 0:
        raise ValueError("default_collate: expected at least one sample, got none")
    first = samples[0]
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, tuple | list):
        return _collate_sequences(samples)
    return _stack([_to_array(sample) for sample in samples])


def _collate_sequences(samples: Sequence[Any]) -> Any:
    first = samples[0]
    lengths = {len(sample) for sample in samples}
    if len(lengths) > 1:
        raise ValueError(f"default_collate: all samples must have as many items, got {sorted(lengths)}")
    items = [default_collate(column) for column in zip(*samples, strict=True)]
    if hasattr(first, "_fields"):
        return type(first)(*items)
    return tuple(items) if isinstance(first, tuple) else items


def _to_array(value: Any) -> np.ndarray:
    value = _backend.from_tensor(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:  # NumPy would take float64, or objects
        raise ValueError(
            f"default_collate: ints must fit in int64, got {value}; give arrays of a dtype that holds them"
        )
    if isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        return np.asarray(value)
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return image_to_array(value)
    raise TypeError(
        "default_collate: samples must hold arrays, numbers, tensors, Pillow images, text, or tuples, lists and "
        f"dicts of them, got {type(value).__name__}; give the loader a collate_fn"
    )


def image_to_array(image: Any) -> np.ndarray:
    """A Pillow image as (C, H, W), stored (H, W, C)."""
    mode = _PILLOW_MODES.get(image.mode)
    pixels = np.array(image if mode is None else image.convert(mode))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays of one shape as one; images that are stored (H, W, C) become a channels-last batch."""
    first = arrays[0]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"default_collate: all samples must have one shape, got {' and '.join(map(str, sorted(shapes)[:3]))}"
        )
    dtype = np.result_type(*{array.dtype for array in arrays})
    shape = (len(arrays), *first.shape)
    if first.ndim == 3 and not first.flags.c_contiguous and first.transpose(1, 2, 0).flags.c_contiguous:
        batch = _arrays.empty_channels_last(shape, dtype, like=first)
    else:
        batch = _arrays.empty(shape, dtype, like=first)
    return np.stack(arrays, out=batch)

"""Crop, affine map, colour, erasing and normalisation of uint8 images as one operator: contract."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch
from gpudl.ops.image_affine import affine_tables
from gpudl.ops.image_color import color_tables
from gpudl.ops.image_crop import crop_tables
from gpudl.ops.image_erase import erase_tables
from gpudl.ops.image_normalize import normalize_tables

# In the order in which they act: what makes the tables of each, and how many there are.
STAGES: dict[str, tuple[Callable[..., tuple[Batch, list[np.ndarray]]], int]] = {
    "crop": (crop_tables, 3),
    "affine": (affine_tables, 2),
    "color": (color_tables, 2),
    "erase": (erase_tables, 2),
    "normalize": (normalize_tables, 2),
    "erase_after": (erase_tables, 2),
}
_SIGNATURES = {name: inspect.signature(make) for name, (make, _) in STAGES.items()}


def image_augment(
    x: Array,
    *,
    crop: Mapping[str, Any] | None = None,
    affine: Mapping[str, Any] | None = None,
    color: Mapping[str, Any] | None = None,
    erase: Mapping[str, Any] | None = None,
    normalize: Mapping[str, Any] | None = None,
    erase_after: Mapping[str, Any] | None = None,
    out: Array | None = None,
) -> Array:
    """Several operators on images, one after the other, as one, which is one kernel on a GPU.

    The result is that of
        y = image_crop(x, **crop)
        y = image_affine(y, **affine)
        y = image_color(y, **color)
        y = image_erase(y, **erase)
        y = image_normalize(y, **normalize)
        y = image_erase(y, **erase_after)
    bit for bit, of which those that are None are left out; without any, y is a copy of x.

    Parameters
    ----------
    x : (N, C, H, W) uint8, NumPy or CuPy. C is 1 or 3 for colours other than brightness, else any.
    crop, affine, color, erase, normalize, erase_after : a dict of arguments of the operator above, but for x and
        out; None leaves it out. Sizes and units are those of the images that the operator before gives: `value` of
        `erase` is whole numbers in [0, 255], `value` of `erase_after` numbers of y.
    out : array to write to, or None for a new one, stored channels-last.

    Returns y : (N, C, P, Q), (P, Q) being the size of `affine`, else that of `crop`, else (H, W); of the dtype of
        `normalize`, which is float32 where it names none, else uint8.

    Raises
    ------
    ValueError : a number or shape does not fit. TypeError : a dtype is unsupported, or an argument unknown or missing.

    The kernel stores nothing between the stages; NumPy calls the operators above. Every executor gives the same bits.
    """
    op = "image_augment"
    executor = _images.require_images(op, x)
    if x.dtype != _images.UINT8:
        raise TypeError(
            f"{op}: x must be uint8, got {x.dtype}; image_crop, image_affine and so on take floating images"
        )
    given = (crop, affine, color, erase, normalize, erase_after)
    made, tables = Batch(x.shape, x.dtype), []
    for name, numbers in zip(STAGES, given, strict=True):
        made, those = _stage(op, name, made, numbers)
        tables += those
    y = _images.result(op, made, x, out)
    if y.array.size:
        placed = (None if values is None else _images.table(values, x) for values in tables)
        interpolation = (affine or {}).get("interpolation", "nearest")
        executor.image_augment(_arrays.channels_last(x), *placed, y.array, interpolation=interpolation)
    return y.finish()


def _stage(
    op: str, name: str, x: Batch, numbers: Mapping[str, Any] | None
) -> tuple[Batch, list[np.ndarray] | list[None]]:
    """What a stage makes of x, and its tables, which are None where it is left out."""
    make, count = STAGES[name]
    if numbers is None:
        return x, [None] * count
    if not isinstance(numbers, Mapping):
        raise TypeError(f"{op}: {name} must be a dict of arguments or None, got {type(numbers).__name__}")
    try:
        _SIGNATURES[name].bind(op, x, **numbers)
    except TypeError as error:
        takes = ", ".join(list(_SIGNATURES[name].parameters)[2:])
        raise TypeError(f"{op}: {name} takes {takes}: {error}, got {sorted(map(str, numbers))}") from None
    return make(f"{op}: {name}", x, **numbers)

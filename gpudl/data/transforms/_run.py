"""Neighbouring transforms of a Compose as one call of `ops.image_augment`."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl import _backend, ops
from gpudl.data.transforms._base import Transform
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch
from gpudl.ops.image_augment import STAGES
from gpudl.ops.image_normalize import normalized_dtype

# What an operator can be in `ops.image_augment`.
_PLACES = {
    "image_crop": ("crop",),
    "image_affine": ("affine",),
    "image_color": ("color",),
    "image_erase": ("erase", "erase_after"),
    "image_normalize": ("normalize",),
}
_ORDER = tuple(STAGES)  # in which they act
_FLIPS = {"flip_vertical", "flip_horizontal"}

Arguments = dict[str, Any]


def can_join(transform: Any) -> bool:
    """Whether it is such an operator and nothing else: a subclass may do more in `apply` or when it is called."""
    return (
        isinstance(transform, Transform)
        and transform.operator in _PLACES
        and getattr(transform.apply, "__func__", None) is Transform.apply
        and type(transform).__call__ is Transform.__call__
    )


class Run:
    """Images, and operators that wait to be called on them.

    made : what those that wait make; None for what no operator takes, which a transform refuses when it is called.
    """

    def __init__(self, images: Any, samples: int):
        self._images = images
        self._stages: dict[str, Arguments] = {}
        self._calls: list[tuple[str, Arguments]] = []
        self.made = Batch(images.shape, images.dtype) if _are_images(images, samples) else None

    def add(self, operator: str, arguments: Arguments) -> bool:
        """Let it wait too. False, and nothing is changed, where it is nothing that follows those that wait."""
        if self._calls and self._images.dtype != _images.UINT8:
            return False
        if operator == "image_crop" and set(self._stages) == {"crop"}:
            merged = _merged_crops(self._stages["crop"], arguments, self._images.shape[2:])
            if merged is None:
                return False
            self._stages["crop"] = merged
        else:
            last = max((_ORDER.index(stage) for stage in self._stages), default=-1)
            later = [stage for stage in _PLACES[operator] if _ORDER.index(stage) > last]
            if not later:
                return False
            self._stages[later[0]] = arguments
        self._calls.append((operator, arguments))
        self.made = _after(self.made, operator, arguments)
        return True

    def finish(self) -> Any:
        """What they make of the images."""
        if not self._calls:
            return self._images
        if len(self._calls) == 1:
            ((operator, arguments),) = self._calls
            return getattr(ops, operator)(self._images, **arguments)
        return ops.image_augment(self._images, **self._stages)


def _are_images(images: Any, samples: int) -> bool:
    return (
        _backend.is_array(images)
        and images.dtype in _images.IMAGE_DTYPES
        and images.ndim == 4
        and len(images) == samples
    )


def _after(images: Batch, operator: str, arguments: Arguments) -> Batch:
    if operator == "image_normalize":
        return Batch(images.shape, normalized_dtype(operator, images, arguments.get("dtype")))
    size = arguments.get("size")
    if size is None:
        return images
    return _images.sized(images, _arrays.integers(operator, "size", size, 2, minimum=1))


def _merged_crops(first: Arguments, second: Arguments, extents: tuple[int, int]) -> Arguments | None:
    """The arguments of one image_crop that does both; None where neither only mirrors. extents : (H, W) before both.

    A crop mirrors its window, so a flip after one is a matter of flags. A window of a mirrored image is one from the
    other end, mirrored; what is beyond the image is repeated or filled alike at both ends.
    """
    flags = {name: np.logical_xor(first.get(name, False), second.get(name, False)) for name in _FLIPS}
    if set(second) <= _FLIPS:
        return first | flags
    if not set(first) <= _FLIPS:
        return None
    size = second.get("size")
    lengths = extents if size is None else _arrays.integers("image_crop", "size", size, 2, minimum=1)
    starts = {}
    for name, flip, extent, length in zip(
        ("top", "left"), ("flip_vertical", "flip_horizontal"), extents, lengths, strict=True
    ):
        start = second.get(name, 0)
        starts[name] = np.where(first.get(flip, False), extent - length - start, start)
    return second | starts | flags

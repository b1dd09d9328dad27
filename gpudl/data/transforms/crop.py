"""Windows of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl.data.transforms._arguments import color, pair_of_sizes
from gpudl.data.transforms._base import Context, Numbers, RandomTransform, Transform
from gpudl.ops import _arrays
from gpudl.ops._images import Batch
from gpudl.ops.image_crop import PADDING_MODES


class RandomCrop(RandomTransform):
    """A window at a random place, of the image or of the image with more pixels around it.

    size : int or (height, width).
    padding : int, (left and right, top and bottom) or (left, top, right, bottom), in pixels, or None.
    pad_if_needed : True pads an image that is still smaller than the window, by what is missing on either side.
    fill : a number, or one for each channel, for padding_mode "constant"; the others are "edge", "reflect" and
        "symmetric", see `ops.image_crop`.

    Raises ValueError for images that are smaller than the window. Follows torchvision.transforms.RandomCrop.
    """

    operator = "image_crop"

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
        *,
        seed: Any = None,
    ):
        name = "RandomCrop"
        self.size = pair_of_sizes(name, size)
        self.padding = None if padding is None else _sides(padding)
        _arrays.one_of(name, "pad_if_needed", pad_if_needed, (True, False))
        self.pad_if_needed = pad_if_needed
        self.fill = color(name, "fill", fill)
        _arrays.one_of(name, "padding_mode", padding_mode, PADDING_MODES)
        self.padding_mode = padding_mode
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        numbers = self.draw(context, 2)
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        height, width = images.shape[2:]
        return {
            "size": self.size,
            "top": self._start(numbers, "height", height, top, bottom, self.size[0]),
            "left": self._start(numbers, "width", width, left, right, self.size[1]),
            "padding_mode": self.padding_mode,
            "fill": self.fill,
        }

    def _start(
        self, numbers: Numbers, axis: str, extent: int, before: int, after: int, length: int
    ) -> np.ndarray:
        missing = length - (extent + before + after)
        if missing > 0 and not self.pad_if_needed:
            raise ValueError(
                f"RandomCrop: size {self.size} is larger than the images, whose {axis} with padding is "
                f"{extent + before + after}; pad_if_needed=True pads them"
            )
        more = max(0, missing)
        return numbers.below(abs(missing) + 1) - (before + more)


class CenterCrop(Transform):
    """The window in the middle; what it covers beyond the image is 0.

    size : int or (height, width). Follows torchvision.transforms.CenterCrop.
    """

    operator = "image_crop"

    def __init__(self, size: Any):
        self.size = pair_of_sizes("CenterCrop", size)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        top, left = (
            _middle(extent, length) for extent, length in zip(images.shape[2:], self.size, strict=True)
        )
        return {"size": self.size, "top": top, "left": left}


def _middle(extent: int, length: int) -> int:
    """Where a window starts; half a pixel goes to the even side inside, and to the left of an image that is smaller."""
    return -((length - extent) // 2) if length > extent else round((extent - length) / 2)


def _sides(padding: Any) -> tuple[int, int, int, int]:
    """(left, top, right, bottom)."""
    count = len(padding) if isinstance(padding, tuple | list) else 1
    if count not in (1, 2, 4):
        raise ValueError(f"RandomCrop: padding must be an int or 2 or 4 ints, got {padding!r}")
    sides = _arrays.integers("RandomCrop", "padding", padding, count, minimum=0)
    return sides * (4 // count)  # type: ignore[return-value]

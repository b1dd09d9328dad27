"""Images at another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl.data.transforms._arguments import pair_of_sizes, positive_interval
from gpudl.data.transforms._base import Context, Numbers, RandomTransform, Transform
from gpudl.ops import _arrays
from gpudl.ops._images import Batch
from gpudl.ops.image_resize import INTERPOLATIONS

ATTEMPTS = 10


class Resize(Transform):
    """Images at another size.

    size : (height, width), or an int for the shorter side, the other keeping the proportions (rounded down).
    interpolation : "bilinear" or "nearest". antialias : True averages all pixels of a larger image.

    Arithmetic: `ops.image_resize`. Follows torchvision.transforms.Resize.
    """

    operator = "image_resize"

    def __init__(self, size: Any, interpolation: str = "bilinear", *, antialias: bool = True):
        self.size = _shorter_or_both(size)
        self.interpolation, self.antialias = _method("Resize", interpolation, antialias)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        size = self.size if isinstance(self.size, tuple) else _in_proportion(self.size, *images.shape[2:])
        return {"size": size, "interpolation": self.interpolation, "antialias": self.antialias}


class RandomResizedCrop(RandomTransform):
    """A random part of the image, stretched to one size.

    size : int or (height, width) of the result.
    scale : (low, high), the part's area as a share of the image's. ratio : (low, high), its width over its height.
    interpolation : "bilinear" or "nearest". antialias : True averages all pixels of a larger part.

    Area and logarithm of the ratio are uniform. Of ten draws the first whose part fits is taken, where none does the
    largest part in the middle of an allowed ratio. Follows torchvision.transforms.RandomResizedCrop.
    """

    operator = "image_resize"

    def __init__(
        self,
        size: Any,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        antialias: bool = True,
        *,
        seed: Any = None,
    ):
        name = "RandomResizedCrop"
        self.size = pair_of_sizes(name, size)
        self.scale = positive_interval(name, "scale", scale)
        self.ratio = positive_interval(name, "ratio", ratio)
        self.interpolation, self.antialias = _method(name, interpolation, antialias)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        boxes = self.boxes(self.draw(context, 2 * ATTEMPTS + 2), *images.shape[2:])
        method = {"interpolation": self.interpolation, "antialias": self.antialias}
        return {"size": self.size, "boxes": boxes, **method}

    def boxes(self, numbers: Numbers, height: int, width: int) -> np.ndarray:
        """(N, 4): top, left, height and width of each sample's part."""
        if height == 0 or width == 0:
            raise ValueError(f"RandomResizedCrop: images must have pixels, got {(height, width)}")
        h, w = random_extents(numbers, height, width, self.scale, self.ratio)
        fits = (h > 0) & (h <= height) & (w > 0) & (w <= width)
        chosen = fits.argmax(axis=1)
        samples = np.arange(len(h))
        h, w = h[samples, chosen], w[samples, chosen]
        top, left = numbers.below(np.maximum(height - h, 0) + 1), numbers.below(np.maximum(width - w, 0) + 1)
        drawn = np.stack([top, left, h, w], axis=1)
        return np.where(fits.any(axis=1)[:, None], drawn, self._fallback(height, width))

    def _fallback(self, height: int, width: int) -> np.ndarray:
        h, w = height, width
        if width / height < self.ratio[0]:
            h = min(height, max(1, round(width / self.ratio[0])))
        elif width / height > self.ratio[1]:
            w = min(width, max(1, round(height * self.ratio[1])))
        return np.array([(height - h) // 2, (width - w) // 2, h, w])


def random_extents(
    numbers: Numbers, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths (N, ATTEMPTS) of parts with random area and width over height."""
    area = numbers.uniform(*scale, ATTEMPTS) * (height * width)
    proportion = np.exp(numbers.uniform(*np.log(ratio), ATTEMPTS))
    h, w = np.rint(np.sqrt(area / proportion)), np.rint(np.sqrt(area * proportion))
    return h.astype(np.int64), w.astype(np.int64)


def _method(name: str, interpolation: str, antialias: bool) -> tuple[str, bool]:
    _arrays.one_of(name, "interpolation", interpolation, INTERPOLATIONS)
    _arrays.one_of(name, "antialias", antialias, (True, False))
    return interpolation, antialias


def _shorter_or_both(size: Any) -> int | tuple[int, int]:
    if isinstance(size, tuple | list):
        return pair_of_sizes("Resize", size)
    return _arrays.integer("Resize", "size", size, minimum=1)


def _in_proportion(shorter: int, height: int, width: int) -> tuple[int, int]:
    if height == 0 or width == 0:
        raise ValueError(f"Resize: images must have pixels, got {(height, width)}")
    if height <= width:
        return shorter, shorter * width // height
    return shorter * height // width, shorter

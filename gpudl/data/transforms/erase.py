"""Erased rectangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl.data.transforms._arguments import color, interval, positive_interval, probability
from gpudl.data.transforms._base import Context, Numbers, RandomTransform
from gpudl.data.transforms.resize import ATTEMPTS, random_extents
from gpudl.ops._images import Batch


class RandomErasing(RandomTransform):
    """Erases a random rectangle with probability p.

    scale : (low, high) within [0, 1], the rectangle's area as a share of the image's.
    ratio : (low, high), its height over its width.
    value : a number, or one for each channel; in the units of the images, as they come.

    Of ten draws the first rectangle that is smaller than the image both ways is erased; where none is, nothing.
    Follows torchvision.transforms.RandomErasing, without its value="random". Zhong et al., AAAI 2020.
    """

    operator = "image_erase"

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: Any = 0,
        *,
        seed: Any = None,
    ):
        name = "RandomErasing"
        self.p = probability(name, p)
        self.scale = interval(name, "scale", scale, minimum=0, maximum=1)
        self.ratio = positive_interval(name, "ratio", ratio)
        self.value = color(name, "value", value)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        boxes = self.boxes(self.draw(context, 2 * ATTEMPTS + 3), *images.shape[2:])
        return {"boxes": boxes, "value": self.value}

    def boxes(self, numbers: Numbers, height: int, width: int) -> np.ndarray:
        """(N, 4): top, left, height and width of each sample's rectangle, height and width 0 for none."""
        erased = numbers.chance(self.p)
        w, h = random_extents(numbers, width, height, self.scale, self.ratio)
        fits = (h < height) & (w < width)
        chosen = fits.argmax(axis=1)
        erased &= fits.any(axis=1)
        samples = np.arange(len(h))
        h, w = np.where(erased, h[samples, chosen], 0), np.where(erased, w[samples, chosen], 0)
        return np.stack([numbers.below(height - h + 1), numbers.below(width - w + 1), h, w], axis=1)

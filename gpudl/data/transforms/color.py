"""Brightness, contrast, saturation and hue."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from gpudl.data.transforms._arguments import Range, around
from gpudl.data.transforms._base import Context, RandomTransform
from gpudl.ops._images import Batch

_ORDERS = np.array(list(itertools.permutations(range(4))))


class ColorJitter(RandomTransform):
    """Random brightness, contrast, saturation and hue, in a random order for each sample.

    brightness, contrast, saturation : a number d for factors in [max(0, 1 - d), 1 + d], or (low, high).
    hue : d <= 0.5 for turns in [-d, d] of the circle, or (low, high) within [-0.5, 0.5].

    Of images of one channel, brightness and contrast alone change. Floating images are clipped to [0, 1].
    Arithmetic: `ops.image_color`. Follows torchvision.transforms.ColorJitter.
    """

    operator = "image_color"

    def __init__(
        self,
        brightness: Any = 0,
        contrast: Any = 0,
        saturation: Any = 0,
        hue: Any = 0,
        *,
        seed: Any = None,
    ):
        name = "ColorJitter"
        self.brightness = around(name, "brightness", brightness, 1, minimum=0)
        self.contrast = around(name, "contrast", contrast, 1, minimum=0)
        self.saturation = around(name, "saturation", saturation, 1, minimum=0)
        self.hue = around(name, "hue", hue, 0, minimum=-0.5, maximum=0.5)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        numbers = self.draw(context, 5)
        order = _ORDERS[numbers.below(len(_ORDERS))]
        ranges: dict[str, tuple[Range, float]] = {
            "brightness": (self.brightness, 1),
            "contrast": (self.contrast, 1),
            "saturation": (self.saturation, 1),
            "hue": (self.hue, 0),
        }
        drawn = {name: (numbers.uniform(*limits), limits, same) for name, (limits, same) in ranges.items()}
        acting = {name: values for name, (values, limits, same) in drawn.items() if limits != (same, same)}
        return {"order": order, **acting}

"""Mirrored images."""

from __future__ import annotations

from typing import Any

from gpudl import ops
from gpudl._backend import Array
from gpudl.data.transforms._arguments import probability
from gpudl.data.transforms._base import Context, RandomTransform


class RandomHorizontalFlip(RandomTransform):
    """Mirrors an image left to right with probability p. Follows torchvision.transforms.RandomHorizontalFlip."""

    def __init__(self, p: float = 0.5, *, seed: Any = None):
        self.p = probability("RandomHorizontalFlip", p)
        super().__init__(seed)

    def apply(self, images: Array, context: Context) -> Array:
        return ops.image_crop(images, flip_horizontal=self.draw(context, 1).chance(self.p))


class RandomVerticalFlip(RandomTransform):
    """Mirrors an image top to bottom with probability p. Follows torchvision.transforms.RandomVerticalFlip."""

    def __init__(self, p: float = 0.5, *, seed: Any = None):
        self.p = probability("RandomVerticalFlip", p)
        super().__init__(seed)

    def apply(self, images: Array, context: Context) -> Array:
        return ops.image_crop(images, flip_vertical=self.draw(context, 1).chance(self.p))

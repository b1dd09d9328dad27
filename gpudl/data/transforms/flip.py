"""Mirrored images."""

from __future__ import annotations

from typing import Any

from gpudl.data.transforms._arguments import probability
from gpudl.data.transforms._base import Context, RandomTransform
from gpudl.ops._images import Batch


class RandomHorizontalFlip(RandomTransform):
    """Mirrors an image left to right with probability p. Follows torchvision.transforms.RandomHorizontalFlip."""

    operator = "image_crop"

    def __init__(self, p: float = 0.5, *, seed: Any = None):
        self.p = probability("RandomHorizontalFlip", p)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        return {"flip_horizontal": self.draw(context, 1).chance(self.p)}


class RandomVerticalFlip(RandomTransform):
    """Mirrors an image top to bottom with probability p. Follows torchvision.transforms.RandomVerticalFlip."""

    operator = "image_crop"

    def __init__(self, p: float = 0.5, *, seed: Any = None):
        self.p = probability("RandomVerticalFlip", p)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        return {"flip_vertical": self.draw(context, 1).chance(self.p)}

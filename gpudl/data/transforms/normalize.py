"""Normalisation with given numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl.data.transforms._arguments import color
from gpudl.data.transforms._base import Context, Transform
from gpudl.ops import _arrays
from gpudl.ops._images import Batch

LARGEST_PIXEL = 255


class Normalize(Transform):
    """y = (x - mean) / std per channel, uint8 images being divided by 255 first.

    mean, std : a number, or one for each channel; std is not 0. So Normalize(0, 1) turns uint8 into floats in [0, 1].
    dtype : of the result; None for float32 from uint8, else that of the images.

    Floating images are taken as they are. One pass, with the cast; the result is channels-last in memory.
    Arithmetic: `ops.image_normalize`. Follows torchvision's ToTensor and Normalize.
    """

    operator = "image_normalize"

    def __init__(self, mean: Any, std: Any, *, dtype: Any = None):
        self.mean = color("Normalize", "mean", mean)
        self.std = color("Normalize", "std", std)
        if 0 in (self.std if isinstance(self.std, tuple) else (self.std,)):
            raise ValueError(f"Normalize: std must not be 0, got {std!r}")
        self.dtype = None if dtype is None else _arrays.float_dtype("Normalize", dtype)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        unit = LARGEST_PIXEL if images.dtype == np.uint8 else 1
        mean, std = (np.asarray(value, np.float64) * unit for value in (self.mean, self.std))
        return {"mean": mean, "std": std, "dtype": self.dtype}

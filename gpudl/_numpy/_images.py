"""What the image transforms share: views of channels-last memory, work cut by whole images, rounding to pixels."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import HALF_DTYPES

_MIN_BLOCKS = 4  # so that a batch that fits one block still occupies threads


def groups(images: int, image_bytes: int, target: int) -> list[tuple[int, int]]:
    """Images cut into groups of about `target` bytes, several groups where there are as many images."""
    return _parallel.ranges(images, max(1, min(target // max(1, image_bytes), -(-images // _MIN_BLOCKS))))


def pixels(x: np.ndarray) -> np.ndarray:
    """Channels-last images (N, C, H, W) as (N, H, W), all channels of a pixel being one element."""
    memory = x.transpose(0, 2, 3, 1)
    return memory.view(np.dtype((np.void, memory.shape[3] * memory.itemsize)))[..., 0]


def store(values: np.ndarray, target: np.ndarray) -> None:
    """Round computed values to the dtype of the images: uint8 to the nearest, halves to even, in [0, 255].

    NaN becomes 0 in uint8. Overwrites `values`.
    """
    if target.dtype == np.uint8:
        np.rint(values, out=values)
        np.clip(values, 0, 255, out=values)
        target[...] = values
    elif target.dtype in HALF_DTYPES:
        with np.errstate(over="ignore"):  # out of range becomes inf, as on the GPU
            target[...] = values
    else:
        target[...] = values

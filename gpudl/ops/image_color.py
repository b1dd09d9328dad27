"""Brightness, contrast, saturation and hue of images, each sample with its own: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch

ADJUSTMENTS = ("brightness", "contrast", "saturation", "hue")
NOTHING = 4  # the step of a sample that does nothing


def image_color(
    x: Array,
    *,
    brightness: Any = None,
    contrast: Any = None,
    saturation: Any = None,
    hue: Any = None,
    order: Any = None,
    out: Array | None = None,
) -> Array:
    """Up to four adjustments of every image, in an order of its own.

    With grey = (0.2989 red + 0.587 green) + 0.114 blue, or the only channel, and `top` the largest pixel value
    (255 for uint8, 1 for floating images), each adjustment makes of every value v
        brightness f: f v
        contrast f:   f v + (1 - f) m, m being the mean of grey over the image
        saturation f: f v + (1 - f) grey
        hue f:        the colour turned by f of the circle: with M and d the largest of red, green and blue and the
                      largest less the smallest; h = (green - blue) / d where red is M, else 2 + (blue - red) / d
                      where green is M, else 4 + (red - green) / d (0 / 1 for 0 / 0); k = (h + 6 f) + 5, 3, 1 for
                      red, green, blue, less 6 floor(k / 6): v = M - d clip(min(k, 4 - k), 0, 1).
    and clips the result to [0, top]. uint8 images are rounded to the nearest, halves to even, after every adjustment,
    and so is grey. m is the sum of grey in units of 1 (floating images: rounded to units of 2^-24), which is exact,
    over the number of pixels.

    Parameters
    ----------
    x : (N, C, H, W) uint8, float16, bfloat16, float32 or float64, NumPy or CuPy. C is 1 or 3, but for brightness
        alone, where it is any; saturation and hue do not change images of one channel.
    brightness, contrast, saturation : a number, or (N,) numbers, at least 0; None leaves it out. 1 changes nothing.
    hue : a number, or (N,) numbers, in [-0.5, 0.5]; None leaves it out.
    order : (4,) or (N, 4) ints, a permutation of 0 (brightness), 1 (contrast), 2 (saturation), 3 (hue): first to
        last. None for 0, 1, 2, 3.
    out : array like x to write to, or None for a new one, stored channels-last.

    Returns y : (N, C, H, W), dtype of x.

    Raises
    ------
    ValueError : a number or shape does not fit. TypeError : a dtype is unsupported.

    In float32 (float64 images: float64), factors rounded to it, each operation once; half precision is rounded at the
    end only. Every executor gives the same bits for uint8, and for floating images in [0, 1] of up to 2^29 pixels.
    Follows torchvision's adjust_* of tensors, which cut uint8 values off where we round.
    """
    op = "image_color"
    executor = _images.require_images(op, x)
    made, tables = color_tables(
        op, x, brightness=brightness, contrast=contrast, saturation=saturation, hue=hue, order=order
    )
    y = _images.result(op, made, x, out)
    if y.array.size:
        executor.image_color(_arrays.channels_last(x), *_images.tables(tables, x), y.array)
    return y.finish()


def color_tables(
    op: str,
    x: Array | Batch,
    *,
    brightness: Any = None,
    contrast: Any = None,
    saturation: Any = None,
    hue: Any = None,
    order: Any = None,
) -> tuple[Batch, list[np.ndarray]]:
    """What `image_color` makes of x, and the factors and steps that its executors take."""
    N, C = x.shape[:2]
    given = dict(zip(ADJUSTMENTS, (brightness, contrast, saturation, hue), strict=True))
    if C not in (1, 3) and any(given[name] is not None for name in ADJUSTMENTS[1:]):
        raise ValueError(
            f"{op}: contrast, saturation and hue need images of 1 or 3 channels, got x {x.shape}"
        )
    factors = np.zeros((N, 4))
    for column, (name, value) in enumerate(given.items()):
        if value is not None:
            factors[:, column] = _images.reals(op, name, value, N, minimum=-0.5 if name == "hue" else 0)
    if (factors[:, 3] > 0.5).any():
        raise ValueError(f"{op}: hue must be at most 0.5, got {factors[:, 3].max()}")
    idle = [value is None or (C == 1 and name in ("saturation", "hue")) for name, value in given.items()]
    steps = _order(op, order, N)
    steps = np.where(np.asarray(idle)[steps], NOTHING, steps).astype(np.uint8)
    wide = np.float64 if x.dtype == np.float64 else np.float32
    return _images.sized(x, x.shape[2:]), [factors.astype(wide), steps]


def _order(op: str, order: Any, N: int) -> np.ndarray:
    steps = _images.ints(op, "order", np.arange(4) if order is None else order, N, (4,))
    if (np.sort(steps, axis=1) != np.arange(4)).any():
        raise ValueError(
            f"{op}: order must hold 0, 1, 2 and 3 once for each sample, got {steps.tolist()[:3]}"
        )
    return steps

"""Images rotated, moved, scaled and sheared."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl.data.transforms._arguments import Range, around, color, interval, numbers, positive_interval
from gpudl.data.transforms._base import Context, RandomTransform
from gpudl.ops import _arrays
from gpudl.ops._images import Batch
from gpudl.ops.image_affine import INTERPOLATIONS


class RandomAffine(RandomTransform):
    """A random rotation, shear, scale and translation, in this order, about a centre that stays.

    degrees : d for [-d, d], or (low, high); positive turns clockwise.
    translate : (a, b): uniform in [-a W, a W] to the right and [-b H, b H] down, rounded to pixels; None for none.
    scale : (low, high), or None for 1.
    shear : degrees: d for [-d, d] along x, (low, high) along x, or (low, high, low, high) along x and y; None for 0.
    interpolation : "nearest" or "bilinear". fill : a number, or one for each channel, beyond the image.
    center : (x, y) in pixels from the upper left corner; None for the middle.

    Arithmetic: `ops.image_affine`. Follows torchvision.transforms.RandomAffine.
    """

    operator = "image_affine"

    def __init__(
        self,
        degrees: Any,
        translate: Any = None,
        scale: Any = None,
        shear: Any = None,
        interpolation: str = "nearest",
        fill: Any = 0,
        center: Any = None,
        *,
        seed: Any = None,
    ):
        name = "RandomAffine"
        self.degrees = around(name, "degrees", degrees, 0)
        self.translate = (
            None if translate is None else numbers(name, "translate", translate, 2, minimum=0, maximum=1)
        )
        self.scale = None if scale is None else positive_interval(name, "scale", scale)
        self.shear = None if shear is None else _shear(shear)
        self.interpolation, self.fill, self.center = _method(name, interpolation, fill, center)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        matrices = self.matrices(context, *images.shape[2:])
        return {"matrices": matrices, "interpolation": self.interpolation, "fill": self.fill}

    def matrices(self, context: Context, height: int, width: int) -> np.ndarray:
        """(N, 2, 3) for `ops.image_affine`: from places of the result to places of the images."""
        words = self.draw(context, 6)
        angle = words.uniform(*self.degrees)
        across, down = self.translate or (0, 0)
        shift_x = np.rint(words.uniform(-across * width, across * width))
        shift_y = np.rint(words.uniform(-down * height, down * height))
        scale = words.uniform(*(self.scale or (1, 1)))
        low_x, high_x, low_y, high_y = self.shear or (0, 0, 0, 0)
        shear_x, shear_y = words.uniform(low_x, high_x), words.uniform(low_y, high_y)
        return inverse_matrices(
            angle, (shift_x, shift_y), scale, (shear_x, shear_y), self.center, height, width
        )


class RandomRotation(RandomTransform):
    """A random rotation; positive turns counter-clockwise, as in torchvision.

    degrees, interpolation, center, fill : as in `RandomAffine`. Images keep their size, so there is no `expand`.
    Follows torchvision.transforms.RandomRotation.
    """

    operator = "image_affine"

    def __init__(
        self,
        degrees: Any,
        interpolation: str = "nearest",
        *,
        center: Any = None,
        fill: Any = 0,
        seed: Any = None,
    ):
        self.degrees = around("RandomRotation", "degrees", degrees, 0)
        self.interpolation, self.fill, self.center = _method("RandomRotation", interpolation, fill, center)
        super().__init__(seed)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        height, width = images.shape[2:]
        angle = -self.draw(context, 1).uniform(*self.degrees)
        nothing = np.zeros(len(angle))
        pair = (nothing, nothing)
        matrices = inverse_matrices(angle, pair, nothing + 1, pair, self.center, height, width)
        return {"matrices": matrices, "interpolation": self.interpolation, "fill": self.fill}


def inverse_matrices(
    angle: np.ndarray,
    translate: tuple[np.ndarray, np.ndarray],
    scale: np.ndarray,
    shear: tuple[np.ndarray, np.ndarray],
    center: tuple[float, float] | None,
    height: int,
    width: int,
) -> np.ndarray:
    """(N, 2, 3) float64: the inverses of the maps that rotate, shear, scale and translate images.

    With r = angle and sx, sy = shear in degrees, a map is scale * A about the centre and then the translation, where
    A = [[cos(r - sy) / cos(sy), -cos(r - sy) tan(sx) / cos(sy) - sin(r)],
         [sin(r - sy) / cos(sy), -sin(r - sy) tan(sx) / cos(sy) + cos(r)]], whose determinant is 1.
    Pixel (0, 0) has its centre at (1/2, 1/2), so the centre of an image is (W / 2, H / 2).
    """
    r, sx, sy = np.deg2rad(angle), np.deg2rad(shear[0]), np.deg2rad(shear[1])
    a, c = np.cos(r - sy) / np.cos(sy), np.sin(r - sy) / np.cos(sy)
    b, d = -a * np.tan(sx) - np.sin(r), -c * np.tan(sx) + np.cos(r)
    x, y = (width / 2, height / 2) if center is None else center
    x, y = x - 0.5, y - 0.5  # in columns and rows, whose whole numbers are centres of pixels
    made = np.empty((len(r), 2, 3))
    for row, (by_x, by_y, middle) in enumerate(((d, -b, x), (-c, a, y))):
        made[:, row, 0], made[:, row, 1] = by_x / scale, by_y / scale
        made[:, row, 2] = middle - made[:, row, 0] * (x + translate[0]) - made[:, row, 1] * (y + translate[1])
    return made


def _shear(shear: Any) -> tuple[float, float, float, float]:
    if isinstance(shear, tuple | list) and len(shear) == 4:
        along_x, along_y = (
            interval("RandomAffine", "shear", shear[:2]),
            interval("RandomAffine", "shear", shear[2:]),
        )
    else:
        along_x, along_y = around("RandomAffine", "shear", shear, 0), (0.0, 0.0)
    return (*along_x, *along_y)


def _method(name: str, interpolation: str, fill: Any, center: Any) -> tuple[str, Any, Range | None]:
    _arrays.one_of(name, "interpolation", interpolation, INTERPOLATIONS)
    place = None if center is None else numbers(name, "center", center, 2)
    return interpolation, color(name, "fill", fill), place  # type: ignore[return-value]

"""Brightness, contrast, saturation and hue: samples with the same order of adjustments go together, in planes."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import alike, image_size, round_pixels, run

_BLOCK = 1 << 17  # values computed together
_NOTHING = 4
_GREY = (0.2989, 0.587, 0.114)
_SECTORS = (5, 3, 1)  # of red, green, blue


def image_color(x: np.ndarray, factors: np.ndarray, steps: np.ndarray, y: np.ndarray) -> None:
    """y = x after the adjustments steps[n, 0], ..., steps[n, 3] with factors[n, step]; step 4 does nothing.

    Steps are 0 brightness, 1 contrast, 2 saturation, 3 hue. factors : (N, 4) of the dtype computed in.
    """
    work = list(alike(steps, max(1, _BLOCK // image_size(x))))

    def block(i: int) -> None:
        sequence, samples = work[i]
        images = _Planes(x, samples, factors.dtype)
        for step in sequence:
            if step != _NOTHING:
                _ADJUSTMENTS[step](images, factors[samples, step, None])
                images.clip()
        images.store(y, samples)

    run(block, len(work), y.size)


class _Planes:
    """Some of the images, each channel as (samples, pixels), in scratch."""

    def __init__(self, x: np.ndarray, samples: np.ndarray, dtype: np.dtype):
        _, C, H, W = x.shape
        self.dtype = dtype
        self.pixel_dtype = x.dtype
        self.whole = x.dtype == np.uint8
        self.channels = _parallel.scratch("color_planes", (C, len(samples), H * W), dtype)
        self._pixels = (H, W)
        for j, n in enumerate(samples):
            self.channels[:, j].reshape(C, H, W)[...] = x[n]

    def scratch(self, name: str) -> np.ndarray:
        return _parallel.scratch(f"color_{name}", self.channels.shape[1:], self.dtype)

    def clip(self) -> None:
        round_pixels(self.channels, self.pixel_dtype)
        if not self.whole:
            np.clip(self.channels, 0, 1, out=self.channels)

    def grey(self) -> np.ndarray:
        """The grey image, in scratch."""
        made = self.scratch("grey")
        if len(self.channels) == 1:
            made[...] = self.channels[0]
            return made
        term = self.scratch("term")
        np.multiply(self.channels[0], self.dtype.type(_GREY[0]), out=made)
        for channel, weight in zip(self.channels[1:], _GREY[1:], strict=True):
            np.multiply(channel, self.dtype.type(weight), out=term)
            made += term
        if self.whole:
            np.rint(made, out=made)
        return made

    def blend(self, other: np.ndarray, factor: np.ndarray) -> None:
        """Every channel to factor * channel + (1 - factor) * other."""
        other = (1 - factor) * other
        self.channels *= factor
        self.channels += other

    def store(self, y: np.ndarray, samples: np.ndarray) -> None:
        C = len(self.channels)
        for j, n in enumerate(samples):
            y[n] = self.channels[:, j].reshape(C, *self._pixels)


def _brightness(images: _Planes, factor: np.ndarray) -> None:
    images.channels *= factor


def _contrast(images: _Planes, factor: np.ndarray) -> None:
    """The sum of grey is exact in float64, whatever its order: see the contract."""
    grey = images.grey()
    unit = 1.0 if images.whole else 2.0**-24
    if not images.whole:
        grey *= images.dtype.type(1 / unit)
        np.rint(grey, out=grey)
    mean = grey.sum(axis=1, dtype=np.float64, keepdims=True) / grey.shape[1] * unit
    images.blend(mean.astype(images.dtype), factor)


def _saturation(images: _Planes, factor: np.ndarray) -> None:
    images.blend(images.grey(), factor)


def _hue(images: _Planes, turn: np.ndarray) -> None:
    red, green, blue = images.channels
    largest, spread, hue, place = (images.scratch(name) for name in ("largest", "grey", "hue", "term"))
    np.maximum(red, green, out=largest)
    np.maximum(largest, blue, out=largest)
    np.minimum(red, green, out=spread)
    np.minimum(spread, blue, out=spread)
    np.subtract(largest, spread, out=spread)
    of_red = red == largest
    of_green = green == largest
    np.subtract(red, green, out=hue)
    np.subtract(blue, red, out=place)
    np.copyto(hue, place, where=of_green)
    np.subtract(green, blue, out=place)
    np.copyto(hue, place, where=of_red)
    place[...] = spread
    np.copyto(place, 1, where=spread == 0)
    hue /= place
    place[...] = 4
    np.copyto(place, 2, where=of_green)
    np.copyto(place, 0, where=of_red)
    hue += place
    hue += 6 * turn
    for channel, sector in zip(images.channels, _SECTORS, strict=True):
        np.add(hue, images.dtype.type(sector), out=place)
        np.divide(place, images.dtype.type(6), out=channel)
        np.floor(channel, out=channel)
        channel *= images.dtype.type(6)
        place -= channel
        np.subtract(images.dtype.type(4), place, out=channel)
        np.minimum(channel, place, out=channel)
        np.clip(channel, 0, 1, out=channel)
        channel *= spread
        np.subtract(largest, channel, out=channel)


_ADJUSTMENTS = (_brightness, _contrast, _saturation, _hue)

"""Normalisation with numbers that are learned from the training images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl.data.collate import default_collate
from gpudl.data.dataset import fetch_samples, require_dataset
from gpudl.data.transforms._arguments import numbers
from gpudl.data.transforms._base import Context, Transform
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch

_CHUNK = 1 << 22  # values looked at together
_FETCHED = 256  # samples of a data set


class _Fitted(Transform):
    """A transform with two numbers for each channel, which `fit` learns. A subclass names them and says how."""

    operator = "image_normalize"
    names: tuple[str, str]

    def __init__(self, *, dtype: Any = None):
        self.dtype = None if dtype is None else _arrays.float_dtype(type(self).__name__, dtype)
        self.values: dict[str, tuple[float, ...]] | None = None

    def fit(self, images: Any) -> _Fitted:
        """Learn from images, which should be those of training alone; returns the transform.

        images : a NumPy array (N, C, H, W), uint8 or floating, or a data set whose samples are such images (C, H, W)
            or tuples that begin with one.

        uint8 images are counted, so the result is exact and the order does not matter; floating ones are summed in
        float64, in their order. Raises ValueError without any pixel, or with values that are not finite.
        """
        name = type(self).__name__
        statistics: _Counts | _Moments | None = None
        for chunk in _chunks(name, images):
            if statistics is None:
                statistics = (_Counts if chunk.dtype == np.uint8 else _Moments)(name, chunk.shape[1])
            statistics.add(chunk)
        if statistics is None or statistics.count == 0:
            raise ValueError(f"{name}: fit needs at least one pixel, got none")
        self.values = dict(zip(self.names, self._learned(statistics), strict=True))
        return self

    def _learned(self, statistics: _Counts | _Moments) -> tuple[tuple[float, ...], tuple[float, ...]]:
        raise NotImplementedError

    def state_dict(self) -> dict[str, list[float]]:
        """What was learned, as plain numbers, a list for each name; read back exactly by `load_state_dict`."""
        return {name: list(values) for name, values in self._fitted().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another one learned. Raises ValueError for another kind of state."""
        name = type(self).__name__
        if set(state) != set(self.names):
            raise ValueError(
                f"{name}: state must have the keys {' and '.join(self.names)}, got {sorted(state)}"
            )
        channels = len(state[self.names[0]])
        self.values = {key: numbers(name, key, list(state[key]), channels) for key in self.names}

    def _fitted(self) -> dict[str, tuple[float, ...]]:
        if self.values is None:
            name = type(self).__name__
            raise RuntimeError(f"{name}: not fitted; call fit(images) or load_state_dict(state) first")
        return self.values

    def _scaling(self, images: Batch, shift: np.ndarray, spread: np.ndarray) -> dict[str, Any]:
        if len(shift) != images.shape[1]:
            raise ValueError(
                f"{type(self).__name__}: fitted to {len(shift)} channels, got images {images.shape}"
            )
        return {"mean": shift, "std": np.where(spread == 0, 1.0, spread), "dtype": self.dtype}

    def __repr__(self) -> str:
        words = [f"dtype={self.dtype}"]
        words += [f"{name}={values}" for name, values in (self.values or {}).items()]
        return f"{type(self).__name__}({', '.join(words)})"


class Standardize(_Fitted):
    """y = (x - mean) / std with the mean and the standard deviation of each channel over the images of `fit`.

    dtype : of the result; None for float32 from uint8, else that of the images.

    The deviation divides by the number of pixels. A channel of one value becomes 0. In units of the images: uint8 is
    not divided by 255 first, which would change nothing. Arithmetic: `ops.image_normalize`.
    """

    names = ("mean", "std")

    def _learned(self, statistics: _Counts | _Moments) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return statistics.means(), statistics.deviations()

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        mean, std = (np.asarray(values) for values in self._fitted().values())
        return self._scaling(images, mean, std)


class MinMax(_Fitted):
    """y = (x - min) / (max - min) with the smallest and the largest value of each channel over the images of `fit`.

    dtype : of the result; None for float32 from uint8, else that of the images.

    Those images go to [0, 1]; others may go beyond. A channel of one value becomes 0. Arithmetic:
    `ops.image_normalize`.
    """

    names = ("min", "max")

    def _learned(self, statistics: _Counts | _Moments) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return statistics.extremes()

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        low, high = (np.asarray(values) for values in self._fitted().values())
        return self._scaling(images, low, high - low)


# ---- statistics


def _chunks(name: str, images: Any) -> Iterator[np.ndarray]:
    """The images piece by piece, checked."""
    if isinstance(images, np.ndarray):
        _images.require_images(name, images)
        step = max(1, _CHUNK // max(1, math.prod(images.shape[1:])))
        for start in range(0, len(images), step):
            yield images[start : start + step]
        return
    require_dataset(f"{name}: fit", images)
    for start in range(0, len(images), _FETCHED):
        indices = list(range(start, min(start + _FETCHED, len(images))))
        batch = default_collate(fetch_samples(images, indices))
        batch = batch[0] if isinstance(batch, tuple | list) else batch
        _images.require_images(name, batch)
        yield batch


class _Statistics:
    """Of each channel of batches of images."""

    def __init__(self, name: str, channels: int):
        self.name = name
        self.channels = channels
        self.count = 0  # pixels

    def add(self, images: np.ndarray) -> None:
        if images.shape[1] != self.channels or (images.dtype == np.uint8) != isinstance(self, _Counts):
            raise ValueError(
                f"{self.name}: all images must have as many channels and one kind of dtype, got {self.channels} and "
                f"{images.shape[1]} channels, the last of {images.dtype}"
            )
        self.count += images.shape[0] * images.shape[2] * images.shape[3]
        for c in range(self.channels):
            self._add(c, images[:, c])

    def _add(self, channel: int, values: np.ndarray) -> None:
        raise NotImplementedError


class _Counts(_Statistics):
    """How often each value of uint8 occurs; all else follows in whole numbers."""

    def __init__(self, name: str, channels: int):
        super().__init__(name, channels)
        self.histogram = np.zeros((channels, 256), np.int64)

    def _add(self, channel: int, values: np.ndarray) -> None:
        self.histogram[channel] += np.bincount(values.reshape(-1), minlength=256)

    def _sums(self, power: int) -> list[int]:
        return [sum(v**power * n for v, n in enumerate(row)) for row in self.histogram.tolist()]

    def means(self) -> tuple[float, ...]:
        return tuple(total / self.count for total in self._sums(1))

    def deviations(self) -> tuple[float, ...]:
        squares = zip(self._sums(1), self._sums(2), strict=True)
        return tuple(math.sqrt((self.count * both - total**2) / self.count**2) for total, both in squares)

    def extremes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        seen = [np.flatnonzero(row) for row in self.histogram]
        return tuple(float(values[0]) for values in seen), tuple(float(values[-1]) for values in seen)


class _Moments(_Statistics):
    """Mean and sum of squared deviations, merged batch by batch (Chan, Golub and LeVeque 1979), and extremes."""

    def __init__(self, name: str, channels: int):
        super().__init__(name, channels)
        self._seen = [0] * channels
        self._mean = [0.0] * channels
        self._squares = [0.0] * channels
        self._low = [math.inf] * channels
        self._high = [-math.inf] * channels

    def _add(self, channel: int, values: np.ndarray) -> None:
        if values.size == 0:
            return
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"{self.name}: fit needs finite values, got NaN or inf in channel {channel}")
        before, many = self._seen[channel], values.size
        mean = float(values.mean())
        away = mean - self._mean[channel]
        self._low[channel] = min(self._low[channel], float(values.min()))
        self._high[channel] = max(self._high[channel], float(values.max()))
        values -= mean
        self._squares[channel] += float((values * values).sum()) + away**2 * before * many / (before + many)
        self._mean[channel] += away * many / (before + many)
        self._seen[channel] = before + many

    def means(self) -> tuple[float, ...]:
        return tuple(self._mean)

    def deviations(self) -> tuple[float, ...]:
        """0 for a channel of one value, whose mean may be rounded."""
        constant = [low == high for low, high in zip(self._low, self._high, strict=True)]
        spreads = [math.sqrt(total / self.count) for total in self._squares]
        return tuple(0.0 if same else spread for same, spread in zip(constant, spreads, strict=True))

    def extremes(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return tuple(self._low), tuple(self._high)

"""What transforms are: callables on whole batches, and where the random ones get their numbers."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np

from gpudl import ops
from gpudl._backend import Array
from gpudl.data._seeds import check_generator, seed_from
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch

# A stream is 1 bit of 1, 15 bits of the place in a Compose, 48 bits of the epoch. Layers and initialisation count
# streams from 0, so they never reach the upper half.
_DOMAIN = 1 << 63
_PLACES, _EPOCHS = 1 << 15, 1 << 48
_WORD = 2.0**-32


class Context(NamedTuple):
    """Which samples a batch holds, and where in the training they are.

    indices : (N,) numbers of the samples. epoch : that of the pass over the data. position : how many transforms
    stand before this one.
    """

    indices: np.ndarray
    epoch: int
    position: int


class Transform:
    """y = transform(images): a batch to a batch.

    A subclass defines `apply(images, context)`, and its arguments are attributes of the same names. One that is a
    single operator defines instead `operator`, its name in `gpudl.ops`, and `arguments(images, context)`, which gives
    that operator's arguments for images of a shape and a dtype: a Compose makes one call of several of them.
    """

    operator: str | None = None

    def __call__(self, images: Array, *, indices: Any = None, epoch: int = 0, position: int = 0) -> Array:
        """images : (N, C, H, W) uint8, float16, bfloat16, float32 or float64. Never written.

        indices : (N,) numbers of the samples in their data set; None for 0 to N - 1.
        epoch : the pass over the data, from 0. position : how many transforms stand before this one.
        Random transforms draw from these and their seed; a DataLoader and a Compose give them.
        """
        name = type(self).__name__
        _images.require_images(name, images)
        return self.apply(images, self._context(name, len(images), indices, epoch, position))

    def apply(self, images: Array, context: Context) -> Array:
        if self.operator is None:
            raise NotImplementedError(f"{type(self).__name__} does not define apply")
        arguments = self.arguments(Batch(images.shape, images.dtype), context)
        return getattr(ops, self.operator)(images, **arguments)

    def arguments(self, images: Batch, context: Context) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define arguments")

    @property
    def span(self) -> int:
        """How many positions it takes up."""
        return 1

    def _context(self, name: str, count: int, indices: Any, epoch: int, position: int) -> Context:
        epoch = _counter(name, "epoch", epoch, _EPOCHS)
        position = _counter(name, "position", position, _PLACES - self.span + 1)
        numbers = np.arange(count) if indices is None else np.asarray(indices)
        if numbers.shape != (count,):
            raise ValueError(
                f"{name}: indices must have shape {(count,)}, one number for each image, got {numbers.shape}"
            )
        if numbers.dtype.kind not in "iu" and count:
            raise TypeError(f"{name}: indices must be ints, got {numbers.dtype}")
        return Context(numbers.astype(np.int64), epoch, position)

    def __repr__(self) -> str:
        names = inspect.signature(type(self).__init__).parameters
        words = (f"{name}={getattr(self, name)!r}" for name in names if name != "self")
        return f"{type(self).__name__}({', '.join(words)})"


class RandomTransform(Transform):
    """A transform whose numbers depend on its seed, its position, the epoch and the sample's number alone.

    So they are the same for any batch split, order and number of workers. seed : an int in [0, 2^64); a
    gpudl.random.Generator or None (the default one), from which a seed is drawn when the transform is made.
    """

    seed: int

    def __init__(self, seed: Any = None):
        check_generator(type(self).__name__, seed, "seed")
        self.seed = seed_from(seed)

    def draw(self, context: Context, count: int) -> Numbers:
        """`count` random words for each sample."""
        stream = _DOMAIN | context.position << 48 | context.epoch
        return Numbers(ops.philox_uint32_rows(self.seed, stream, context.indices, count))


class Numbers:
    """Random words, a row for each sample; each call takes the next column, or `count` columns."""

    def __init__(self, words: np.ndarray):
        self._words = words
        self._taken = 0

    def _take(self, count: int | None) -> np.ndarray:
        start = self._taken
        self._taken += count or 1
        assert self._taken <= self._words.shape[1], "more words are used than were drawn"
        return self._words[:, start] if count is None else self._words[:, start : self._taken]

    def uniform(self, low: float, high: float, count: int | None = None) -> np.ndarray:
        """float64 from low to high: low + (high - low) * word / 2^32."""
        return low + (high - low) * (self._take(count) * _WORD)

    def below(self, limit: Any, count: int | None = None) -> np.ndarray:
        """int64 in [0, limit), limit at most 2^31: word * limit / 2^32, rounded down. Exact."""
        return (self._take(count).astype(np.int64) * limit) >> 32

    def chance(self, p: float) -> np.ndarray:
        """True with probability p."""
        return self.uniform(0, 1) < p


def _counter(name: str, argument: str, value: Any, limit: int) -> int:
    number = _arrays.integer(name, argument, value, minimum=0)
    if number >= limit:
        raise ValueError(f"{name}: {argument} must be below {limit}, got {number}")
    return number

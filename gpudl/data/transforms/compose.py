"""Transforms one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from gpudl._backend import Array
from gpudl.data.transforms._base import Context, Transform
from gpudl.data.transforms._run import Run, can_join


class Compose(Transform):
    """Calls each of `transforms` with what the one before gave.

    transforms : transforms, or functions that take (images, indices=, epoch=), or images alone.

    Every transform draws its own numbers, even where two were given one seed: its position counts. Of uint8 images,
    neighbours that are a crop or flips, an affine map, colours, erasing, normalisation and erasing, in this order, some
    left out, are one call of `ops.image_augment`, which gives the same bits.
    Follows torchvision.transforms.Compose.
    """

    def __init__(self, transforms: Iterable[Callable[..., Array]]):
        self.transforms = tuple(transforms)
        for place, transform in enumerate(self.transforms):
            if not callable(transform):
                raise TypeError(
                    f"Compose: transforms must be callable, number {place} is {type(transform).__name__}"
                )
        self._takes_context = tuple(_takes_context(transform) for transform in self.transforms)

    def apply(self, images: Array, context: Context) -> Array:
        position, samples = context.position, len(context.indices)
        run = Run(images, samples)
        for place, transform in enumerate(self.transforms):
            here = context._replace(position=position)
            if run.made is None or not can_join(transform):
                run = Run(self._call(place, run.finish(), here), samples)
            else:
                arguments = transform.arguments(run.made, here)
                if not run.add(transform.operator, arguments):
                    run = Run(run.finish(), samples)
                    run.add(transform.operator, arguments)
            position += _span(transform)
        return run.finish()

    def _call(self, place: int, images: Array, context: Context) -> Array:
        """What the transform at a place makes of images, called by itself."""
        transform = self.transforms[place]
        if isinstance(transform, Transform):
            return transform(images, **context._asdict())
        if self._takes_context[place]:
            return transform(images, indices=context.indices, epoch=context.epoch)
        return transform(images)

    @property
    def span(self) -> int:
        return sum(_span(transform) for transform in self.transforms)

    def __repr__(self) -> str:
        lines = [line for transform in self.transforms for line in repr(transform).splitlines()]
        return "\n".join(["Compose(", *(f"    {line}" for line in lines), ")"])


def _span(transform: Any) -> int:
    return transform.span if isinstance(transform, Transform) else 1


def _takes_context(transform: Callable[..., Array]) -> bool:
    try:
        parameters = inspect.signature(transform).parameters
    except ValueError:  # some built-in functions have none to read
        return False
    keywords = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return keywords or {"indices", "epoch"} <= set(parameters)

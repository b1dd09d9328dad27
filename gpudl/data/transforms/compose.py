"""Transforms one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from gpudl._backend import Array
from gpudl.data.transforms._base import Context, Transform


class Compose(Transform):
    """Calls each of `transforms` with what the one before gave.

    transforms : transforms, or functions that take (images, indices=, epoch=), or images alone.

    Every transform draws its own numbers, even where two were given one seed: its position counts.
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
        position = context.position
        for transform, takes_context in zip(self.transforms, self._takes_context, strict=True):
            if isinstance(transform, Transform):
                images = transform(images, indices=context.indices, epoch=context.epoch, position=position)
            elif takes_context:
                images = transform(images, indices=context.indices, epoch=context.epoch)
            else:
                images = transform(images)
            position += _span(transform)
        return images

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

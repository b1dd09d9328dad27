"""Checks of the arguments that transforms share with torchvision's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpudl.ops import _arrays

Range = tuple[float, float]


def probability(name: str, p: Any) -> float:
    return _arrays.real(name, "p", p, minimum=0, maximum=1)


def pair_of_sizes(name: str, size: Any) -> tuple[int, int]:
    """An int for squares, or (height, width)."""
    return _arrays.integers(name, "size", size, 2, minimum=1)  # type: ignore[return-value]


def around(
    name: str,
    argument: str,
    value: Any,
    center: float,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
) -> Range:
    """A number d >= 0 for (center - d, center + d), or a range; clipped or refused outside [minimum, maximum].

    As torchvision does, a number is clipped from below, a range is refused.
    """
    if isinstance(value, tuple | list):
        return interval(name, argument, value, minimum=minimum, maximum=maximum)
    distance = _arrays.real(name, argument, value, minimum=0, maximum=maximum - center)
    return max(minimum, center - distance), center + distance


def interval(
    name: str, argument: str, value: Any, *, minimum: float = -math.inf, maximum: float = math.inf
) -> Range:
    """(low, high) with minimum <= low <= high <= maximum."""
    low, high = numbers(name, argument, value, 2, minimum=minimum, maximum=maximum)
    if low > high:
        raise ValueError(f"{name}: {argument} must be (low, high), got {value!r}")
    return low, high


def positive_interval(name: str, argument: str, value: Any) -> Range:
    """(low, high) with 0 < low <= high."""
    low, high = interval(name, argument, value)
    if low <= 0:
        raise ValueError(f"{name}: {argument} must be above 0, got {value!r}")
    return low, high


def numbers(
    name: str,
    argument: str,
    value: Any,
    count: int,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
) -> tuple[float, ...]:
    """`count` finite numbers in [minimum, maximum]."""
    if not isinstance(value, tuple | list) or len(value) != count:
        raise ValueError(f"{name}: {argument} must be {count} numbers, got {value!r}")
    return tuple(_arrays.real(name, argument, item, minimum=minimum, maximum=maximum) for item in value)


def color(name: str, argument: str, value: Any) -> float | int | tuple[float | int, ...]:
    """A number, or a number for each channel; whether it suits the images is seen when they come."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    for item in value if isinstance(value, tuple | list) else (value,):
        _arrays.real(name, argument, item)
    return tuple(value) if isinstance(value, list) else value

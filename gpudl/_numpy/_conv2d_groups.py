"""Groups of few channels: several are convolved as one, with zeros where a filter meets the channels of another.

NumPy convolves 32 channels in little more time than 4. As 0 * NaN is NaN, arrays that hold one are convolved group by
group: it stays in its own, as in PyTorch.
"""

from __future__ import annotations

import math

import numpy as np

# Of what is convolved as one. Up to 32 channels the time fell in nearly all of 17 shapes, to 0.25 to 0.7 of that of
# groups by themselves; with 64 it rose again.
_MOST_CHANNELS, _MOST_FILTERS = 32, 64


def together(channels: int, filters: int, groups: int) -> int:
    """How many groups to convolve as one: a divisor of their number. channels, filters : of a group."""
    most = min(groups, _MOST_CHANNELS // channels, _MOST_FILTERS // filters)
    return max((count for count in range(2, most + 1) if groups % count == 0), default=1)


def join(weight: np.ndarray, groups: int, x: np.ndarray) -> tuple[np.ndarray, int]:
    """The weight and the number of groups to convolve x with. x : dy for the gradient of the data."""
    count = together(weight.shape[3], weight.shape[0] // groups, groups)
    if count == 1 or not _finite(x):
        return weight, groups
    return _joined(weight, groups, count), groups // count


def _finite(x: np.ndarray) -> bool:
    """Whether x holds neither NaN nor infinity: two passes that write nothing."""
    ends = (function.reduce(x, axis=None, initial=0) for function in (np.minimum, np.maximum))
    return all(map(math.isfinite, ends))


def _joined(weight: np.ndarray, groups: int, count: int) -> np.ndarray:
    """(K, R, S, C) as (K, R, S, count * C), with zeros between, of `count` groups each."""
    K, R, S, C = weight.shape
    wide = np.zeros((K, R, S, count * C), weight.dtype)
    for part, own in _by_group(wide, weight, groups, count):
        part[...] = own
    return wide


def separate(wide: np.ndarray, groups: int, count: int, dweight: np.ndarray) -> None:
    """dweight (K, R, S, C) = what wide (K, R, S, count * C) has at the places that `_joined` fills."""
    for part, own in _by_group(wide, dweight, groups, count):
        own[...] = part


def _by_group(
    wide: np.ndarray, weight: np.ndarray, groups: int, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(part of wide, part of weight) for the first, the second, ... group of those convolved as one."""
    K, R, S, C = weight.shape
    filters = K // groups
    return [
        (
            wide.reshape(-1, count, filters, R, S, count, C)[:, i, :, :, :, i],
            weight.reshape(-1, count, filters, R, S, C)[:, i],
        )
        for i in range(count)
    ]

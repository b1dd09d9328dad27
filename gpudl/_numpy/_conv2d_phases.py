"""The gradient of the data as convolutions of stride 1, one for each phase of the stride.

Rows h = start, start + stride, ... of the input meet the same taps r, those with
(h + padding - r * dilation) divisible by the stride, so they are a correlation of dy with these taps in
reverse order. With stride 1 there is one phase: the flipped filters.
"""

from __future__ import annotations

import math
from typing import NamedTuple

Pair = tuple[int, int]


class Phase(NamedTuple):
    """One phase of one axis: rows start::stride of dx see taps first::step, in reverse order."""

    start: int
    first: int
    step: int
    taps: int
    padding: int
    dilation: int


def phases(extent: int, field: int, stride: int, padding: int, dilation: int) -> list[Phase]:
    """The phases of an axis of dx with `extent` rows; one without taps gets no gradient."""
    step = stride // math.gcd(stride, dilation)
    spread = step * dilation // stride  # rows of dy between two taps of a phase
    found = []
    for start in range(min(stride, extent)):
        meets = [r for r in range(min(step, field)) if (start + padding - r * dilation) % stride == 0]
        if not meets:
            found.append(Phase(start, 0, step, 0, 0, 1))
            continue
        first = meets[0]
        taps = len(range(first, field, step))
        offset = (start + padding - first * dilation) // stride
        found.append(Phase(start, first, step, taps, (taps - 1) * spread - offset, spread))
    return found

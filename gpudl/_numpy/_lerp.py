"""Running averages as PyTorch's lerp rounds them."""

from __future__ import annotations

import numpy as np


def lerp_(average: np.ndarray, value: np.ndarray, weight: float, scratch: np.ndarray) -> None:
    """average += weight * (value - average), or the same from the other end where that is nearer.

    From the nearer end the larger term is exact: weight 1 gives `value` itself.
    """
    np.subtract(value, average, out=scratch)
    if weight < 0.5:
        np.multiply(scratch, weight, out=scratch)
        np.add(average, scratch, out=average)
    else:
        np.multiply(scratch, 1 - weight, out=scratch)
        np.subtract(value, scratch, out=average)

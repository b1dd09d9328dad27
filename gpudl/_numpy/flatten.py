"""The same elements in another shape."""

from __future__ import annotations

import numpy as np


def reshape(x: np.ndarray, y: np.ndarray) -> None:
    """y = the elements of x in C order; both may be stored in any order."""
    if x.flags.c_contiguous or not y.flags.c_contiguous:
        y[...] = x.reshape(y.shape)
    else:
        y.reshape(x.shape)[...] = x

"""The same elements in the other memory order: copies."""

from __future__ import annotations

import numpy as np


def copy(x: np.ndarray, y: np.ndarray) -> None:
    """y = x, both (M,)."""
    y[...] = x


def to_channels_last(x: np.ndarray, y: np.ndarray) -> None:
    """y = x : (N, C, ...); x is C-contiguous, the memory of y is (N, ..., C)."""
    y[...] = x


def to_contiguous(x: np.ndarray, y: np.ndarray) -> None:
    """y = x : (N, C, ...); the memory of x is (N, ..., C), y is C-contiguous."""
    y[...] = x

"""Walks over flat memory in blocks that stay in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel

_BLOCK = 1 << 16  # elements: the input, the result and two buffers of float32 in the second-level cache


def run(function: Callable[..., None], *arrays: np.ndarray) -> None:
    """function(piece of each array), floating-point warnings off; all (M,)."""
    pieces = _parallel.ranges(len(arrays[0]), _BLOCK)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        with np.errstate(all="ignore"):
            function(*(array[piece] for array in arrays))

    _parallel.run(block, len(pieces))


def buffer(key: str, like: np.ndarray, dtype: np.dtype | type | None = None) -> np.ndarray:
    """This thread's scratch of the length of `like`."""
    return _parallel.scratch(f"elementwise_{key}", like.shape, like.dtype if dtype is None else dtype)


def sigmoid(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), 0 and 1 at the ends; out may be x."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)

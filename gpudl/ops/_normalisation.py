"""Checks that the normalisations share: vectors of parameters, statistics, and which gradients are wanted."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays


def statistics_dtype(x: Array) -> np.dtype:
    """The dtype of means and variances: float32, or float64 for float64."""
    return np.dtype(np.float64 if x.dtype == np.float64 else np.float32)


def parameters(
    op: str, shape: tuple[int, ...], why: str, *arrays: tuple[str, Array | None]
) -> list[Array | None]:
    """Each (name, array) checked to have `shape` and made contiguous; None stays None."""
    for name, array in arrays:
        if array is not None:
            _arrays.require_shape(op, name, array, shape, why)
    return [None if array is None else _arrays.contiguous(array) for _, array in arrays]


def require_statistics(op: str, x: Array, shape: tuple[int, ...], why: str, **arrays: Array | None) -> None:
    """Check means, variances and their like: device of x, `statistics_dtype`, and shape."""
    _arrays.require_arrays(op, x=x, **arrays)
    dtype = statistics_dtype(x)
    for name, array in arrays.items():
        if array is None:
            continue
        if array.dtype != dtype:
            raise TypeError(f"{op}: {name} must be {dtype} for x {x.dtype}, got {array.dtype}")
        _arrays.require_shape(op, name, array, shape, why)


def require_writeable(op: str, **arrays: Array | None) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            raise ValueError(f"{op}: {name} is updated in place and must be writeable, got a read-only array")


def require_flags(op: str, **flags: object) -> None:
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{op}: {name} must be a bool, got {type(flag).__name__}")


def channels_last_rows(x: Array) -> Array:
    """(N, C, ...) in channels-last memory as (rows, C), without a copy."""
    if x.size == 0:
        return x.reshape(0, x.shape[1])
    return x.transpose(0, *range(2, x.ndim), 1).reshape(-1, x.shape[1])


def require_channels(op: str, name: str, x: Array) -> None:
    if x.ndim < 2:
        raise ValueError(f"{op}: {name} must have shape (N, C, ...), got {x.shape}")

"""What the contracts of pooling share: sizes of windows and results, inputs with and without a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays

Pair = tuple[int, int]


def batch(op: str, name: str, x: Array) -> tuple[Array, bool]:
    """(N, C, H, W) in channels-last memory, and whether x had no N."""
    unbatched = _arrays.require_ndim(op, name, x, "(N, C, H, W)", unbatched=True)
    return _arrays.channels_last(x[None] if unbatched else x), unbatched


def window(op: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> dict[str, Pair]:
    """The four numbers as pairs, checked against each other."""
    kernel = _pair(op, "kernel_size", kernel_size, 1)
    numbers = {
        "kernel_size": kernel,
        "stride": kernel if stride is None else _pair(op, "stride", stride, 1),
        "padding": _pair(op, "padding", padding, 0),
        "dilation": _pair(op, "dilation", dilation, 1),
    }
    if any(2 * pad > extent for pad, extent in zip(numbers["padding"], kernel, strict=True)):
        raise ValueError(
            f"{op}: padding must be at most half of kernel_size {kernel}, got {numbers['padding']}"
        )
    return numbers


def _pair(op: str, name: str, value: Any, minimum: int) -> Pair:
    if type(value) is int and value >= minimum:  # the common case, without the checks' time
        return value, value
    height, width = _arrays.integers(op, name, value, 2, minimum=minimum)
    return height, width


def output_size(op: str, size: Pair, numbers: dict[str, Pair], ceil_mode: bool) -> Pair:
    """(P, Q) for an input of (H, W); with ceil_mode a window that would start in the far padding is left out."""
    _arrays.one_of(op, "ceil_mode", ceil_mode, (False, True))
    columns = zip(size, *numbers.values(), strict=True)
    found = tuple(_extent(*column, ceil_mode) for column in columns)
    if min(found) < 1:
        raise ValueError(f"{op}: the windows must fit into the padded input {size}, got an output of {found}")
    return found[0], found[1]


def _extent(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    extent = -(-span // stride) + 1
    return extent - 1 if (extent - 1) * stride >= size + padding else extent


def x_size(op: str, x_shape: Any, unbatched: bool) -> tuple[int, ...]:
    """x_shape as four ints, with N of 1 where x had none."""
    if not isinstance(x_shape, tuple | list):
        raise TypeError(f"{op}: x_shape must be a tuple of ints, got {type(x_shape).__name__}")
    if len(x_shape) != (3 if unbatched else 4):
        raise ValueError(f"{op}: x_shape must have {3 if unbatched else 4} extents, got {x_shape}")
    shape = tuple(_arrays.integer(op, "x_shape", extent, minimum=0) for extent in x_shape)
    return (1, *shape) if unbatched else shape


def require_dy(op: str, dy: Array, expected: tuple[int, ...]) -> None:
    _arrays.require_shape(op, "dy", dy, expected, "that of the forward's result")


def adaptive_size(op: str, output_size: Any, size: Pair) -> Pair:
    """An int, or a pair of ints and Nones; None keeps the extent of the input."""
    pair = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if len(pair) != 2:
        raise ValueError(f"{op}: output_size must be an int or 2 ints, got {output_size!r}")
    height, width = (
        extent if value is None else _arrays.integer(op, "output_size", value, minimum=1)
        for value, extent in zip(pair, size, strict=True)
    )
    return height, width


def require_size(op: str, x: Array) -> None:
    if min(x.shape[2:]) < 1 or x.shape[1] < 1:
        raise ValueError(f"{op}: C, H and W must be at least 1, got {x.shape}")


def memory(x: Array) -> Array:
    """(N, C, H, W) in channels-last memory as (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1)


def unmemory(x: Array, unbatched: bool) -> Array:
    """(N, H, W, C) memory as (N, C, H, W), or (C, H, W)."""
    y = x.transpose(0, 3, 1, 2)
    return y[0] if unbatched else y


def new(shape: tuple[int, ...], dtype: np.dtype | type, like: Array) -> Array:
    return _arrays.empty(shape, np.dtype(dtype), like=like)

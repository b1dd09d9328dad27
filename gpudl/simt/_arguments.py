"""Arguments of Python for an extern "C" function."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

_C_TYPES = {
    np.float32: ctypes.c_float, np.float64: ctypes.c_double, float: ctypes.c_double, int: ctypes.c_int64,
    np.int32: ctypes.c_int32, np.int64: ctypes.c_int64, np.uint32: ctypes.c_uint32, np.uint64: ctypes.c_uint64,
    bool: ctypes.c_bool, np.bool_: ctypes.c_bool,
}  # fmt: skip


def as_c(function: str, position: int, value: Any, array_type: type, address: Callable[[Any], int]) -> Any:
    """A number by its type; an array, of `array_type` and C-contiguous, as the pointer that `address` gives of it."""
    name = f"{function}: argument {position}"
    if isinstance(value, array_type):
        if not value.flags.c_contiguous:
            raise ValueError(f"{name} must be C-contiguous, got strides {value.strides}")
        if value.dtype.hasobject or not value.dtype.isnative:
            raise TypeError(
                f"{name} must hold numbers in the byte order of this machine, got {value.dtype!r}"
            )
        return ctypes.c_void_p(address(value))
    if type(value) not in _C_TYPES:
        raise TypeError(
            f"{name} must be an array or a number (bool, int, float, or NumPy's bool, int32, int64, uint32, uint64, "
            f"float32, float64), got {type(value).__name__}"
        )
    if type(value) is int and not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{name} must be an int in [-2^63, 2^63), got {value}")
    return _C_TYPES[type(value)](value)

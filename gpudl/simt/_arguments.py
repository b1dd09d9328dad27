"""Arguments of Python for an extern "C" function."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

_C_TYPES = {
    np.float32: ctypes.c_float, np.float64: ctypes.c_double, float: ctypes.c_double, int: ctypes.c_int64,
    np.int32: ctypes.c_int32, np.int64: ctypes.c_int64, np.uint32: ctypes.c_uint32, np.uint64: ctypes.c_uint64,
}  # fmt: skip


def as_c(function: str, position: int, value: Any, array_type: type, address: Callable[[Any], int]) -> Any:
    """A number by its type; an array, of `array_type` and C-contiguous, as the pointer that `address` gives of it."""
    if isinstance(value, array_type):
        if not value.flags.c_contiguous:
            raise ValueError(
                f"{function}: argument {position} must be C-contiguous, got strides {value.strides}"
            )
        return ctypes.c_void_p(address(value))
    if type(value) not in _C_TYPES:
        raise TypeError(
            f"{function}: argument {position} must be an array or a number, got {type(value).__name__}"
        )
    return _C_TYPES[type(value)](value)

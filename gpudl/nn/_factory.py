"""New parameters and buffers on the chosen device."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays


def empty_parameter(
    layer: str, shape: tuple[int, ...], device: str | None, dtype: Any, *, channels_last: bool = False
) -> Parameter:
    """An uninitialised parameter; channels_last=True stores (K, C, ..) as (K, .., C), as the kernels read it."""
    if channels_last:
        memory = full_buffer(layer, (shape[0], *shape[2:], shape[1]), 0, device, dtype)
        return Parameter(memory.transpose(0, len(shape) - 1, *range(1, len(shape) - 1)))
    return Parameter(full_buffer(layer, shape, 0, device, dtype))


def full_buffer(layer: str, shape: tuple[int, ...], value: float, device: str | None, dtype: Any) -> Array:
    """An array filled with `value` on `device`, or on that of `use_backend` where it is None."""
    array = np.full(shape, value, _arrays.float_dtype(layer, dtype))
    return to_device(layer, array, device)


def to_device(layer: str, array: Array, device: str | None) -> Array:
    """`array` on `device`, or on that of `use_backend` where it is None."""
    if device is None:
        device = _backend.current_backend()
    _backend.require_backend(f"{layer}: device", device)
    return _backend.move(array, device)

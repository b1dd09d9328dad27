"""What the counting operators share: class scores or indices against a target, and counters that are added to."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays, _class_losses, _segments


def checked(op: str, prediction: Array, target: Array) -> tuple[ModuleType, Array, Array]:
    """Check scores or class indices against their target.

    Returns the executor, prediction as (M, C) scores or (M,) int64, and target as (M,) int64.
    """
    executor = _arrays.require_arrays(op, prediction=prediction, target=target)
    if prediction.dtype.kind not in "iu":
        if prediction.dtype not in _arrays.FLOAT_DTYPES:
            raise TypeError(
                f"{op}: prediction must be scores (float16, bfloat16, float32 or float64) or class indices "
                f"(an integer dtype), got {prediction.dtype}"
            )
        _class_losses.checked(op, prediction, target, None, probabilities=False)
        return executor, _class_losses.rows(prediction), _class_losses.indices(target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"{op}: target must have an integer dtype, got {target.dtype}")
    _arrays.require_shape(op, "target", target, prediction.shape, "that of prediction, for class indices")
    return executor, _class_losses.indices(prediction), _class_losses.indices(target)


def ignored(op: str, ignore_index: int | None) -> int | None:
    return (
        None
        if ignore_index is None
        else _arrays.integer(op, "ignore_index", ignore_index, minimum=-(1 << 63))
    )


def counter(
    op: str, add_to: Array | None, shape: tuple[int, ...], dtype: type, inputs: dict[str, Array]
) -> Array:
    """`add_to`, checked, or zeros on the device of the inputs."""
    if add_to is None:
        zeros = _arrays.empty(shape, np.dtype(dtype), like=next(iter(inputs.values())))
        zeros[...] = 0
        return zeros
    _arrays.require_arrays(op, **inputs, add_to=add_to)
    if add_to.dtype != dtype:
        raise TypeError(f"{op}: add_to must be {np.dtype(dtype)}, got {add_to.dtype}")
    _arrays.require_shape(op, "add_to", add_to, shape, "that of the result")
    _segments.require_writeable(op, add_to=add_to)
    if _arrays.contiguous(add_to) is not add_to:
        raise ValueError(f"{op}: add_to must be contiguous and aligned, got strides {add_to.strides}")
    for name, array in inputs.items():
        if _backend.array_module(add_to).may_share_memory(add_to, array):
            raise ValueError(f"{op}: add_to must not share memory with {name}")
    return add_to

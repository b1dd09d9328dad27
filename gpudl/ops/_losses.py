"""What the contracts of the losses share: reductions, and losses that are a sum over elements."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays

REDUCTIONS = ("none", "mean", "sum")


def elementwise_forward(
    op: str,
    prediction: Array,
    target: Array,
    extras: dict[str, Array | None],
    reduction: str,
    **numbers: Any,
) -> Array:
    """Check and run `executor.<op>`.

    extras : further arrays that broadcast to the shape of prediction, or None.
    """
    executor, arrays = _checked(op, prediction, target, extras)
    shape = prediction.shape if reduction == "none" else (1,)
    result = _like(prediction, shape)
    loss, value = (_arrays.flat(result), None) if reduction == "none" else (None, result)
    scale = _scale(reduction, prediction.shape)
    getattr(executor, op)(*arrays, loss, value, scale=scale, **numbers)
    return result if reduction == "none" else result.reshape(())


def elementwise_backward(
    op: str,
    prediction: Array,
    target: Array,
    extras: dict[str, Array | None],
    gradient: Array | None,
    reduction: str,
    **numbers: Any,
) -> Array:
    """Check and run `executor.<op>`; gradient is that of the value, ones where it is None."""
    executor, arrays = _checked(op, prediction, target, extras)
    gradient = checked_gradient(op, gradient, prediction, () if reduction != "none" else prediction.shape)
    dense = _arrays.dense(prediction)
    flat = _arrays.flat(_arrays.same_storage_as(dense, gradient)) if gradient.ndim else gradient.reshape(1)
    dx = _like(prediction, prediction.shape)
    scale = _scale(reduction, prediction.shape)
    getattr(executor, op)(*arrays, flat, _arrays.flat(dx), scale=scale, **numbers)
    return dx


def positive(op: str, name: str, value: object) -> float:
    """`value` as a finite float above 0."""
    number = _arrays.real(op, name, value, minimum=0)
    if number == 0:
        raise ValueError(f"{op}: {name} must be above 0, got 0")
    return number


def checked_gradient(op: str, gradient: Array | None, prediction: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of the value, of `shape`; ones where it is None."""
    if gradient is None:
        return _ones(shape, prediction) if shape else _one(prediction)
    _arrays.require_floats(op, prediction=prediction, gradient=gradient)
    _arrays.require_shape(op, "gradient", gradient, shape, "that of the value")
    return gradient


def _ones(shape: tuple[int, ...], like: Array) -> Array:
    ones = _arrays.empty(shape, like.dtype, like=like)
    _arrays.write(ones, 1)
    return ones


# The 1 of every step without a launch of its own, by dtype, device and stream, whose order makes it safe to use.
_kept_ones: dict[tuple, Array] = {}


def _one(like: Array) -> Array:
    key: tuple = (like.dtype,)
    if _backend.is_cupy(like):
        key += (like.device.id, _backend.array_module(like).cuda.get_current_stream().ptr)
    if key not in _kept_ones:
        _kept_ones[key] = _ones((1,), like).reshape(())
    return _kept_ones[key]


def _checked(
    op: str, prediction: Array, target: Array, extras: dict[str, Array | None]
) -> tuple[ModuleType, list[Array | None]]:
    """The executor, and all arrays flat in the storage order of prediction."""
    executor = _arrays.require_floats(op, prediction=prediction, target=target, **extras)
    _arrays.require_shape(op, "target", target, prediction.shape, "that of prediction")
    dense = _arrays.dense(prediction)
    arrays: list[Array | None] = [_arrays.flat(dense), _arrays.flat(_arrays.same_storage_as(dense, target))]
    for name, extra in extras.items():
        arrays.append(None if extra is None else _broadcast(op, name, extra, dense))
    return executor, arrays


def _broadcast(op: str, name: str, extra: Array, dense: Array) -> Array:
    """`extra` expanded to the shape and storage of `dense`, flat."""
    shape, extents = dense.shape, extra.shape
    trailing = shape[len(shape) - len(extents) :] if len(extents) <= len(shape) else None
    if trailing is None or any(e not in (1, full) for e, full in zip(extents, trailing, strict=True)):
        raise ValueError(f"{op}: {name} must broadcast to the shape of prediction {shape}, got {extents}")
    full = _like(dense, shape)
    _arrays.write(full, extra)
    return _arrays.flat(full)


def _like(reference: Array, shape: tuple[int, ...]) -> Array:
    """Uninitialised; where the shape is that of `reference`, in the storage that `dense` gives it."""
    if shape == reference.shape and _arrays.is_channels_last(_arrays.dense(reference)):
        return _arrays.empty_channels_last(shape, reference.dtype, like=reference)
    return _arrays.empty(shape, reference.dtype, like=reference)


def _scale(reduction: str, shape: tuple[int, ...]) -> float:
    """What the sum is multiplied with; NaN for the mean of nothing, as in PyTorch."""
    if reduction in ("none", "sum"):
        return 1.0
    count = shape[0] if reduction == "batchmean" and shape else math.prod(shape)
    return 1 / count if count else float("nan")

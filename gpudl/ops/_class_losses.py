"""What cross entropy and negative log likelihood share: samples and positions as rows, reduction, gradient."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _losses

Kept = tuple[Array, Array]  # gradient of the sum of all rows (M, C), and the factor (1,) of the reduction


def checked(
    op: str, prediction: Array, target: Array, weight: Array | None, *, probabilities: bool
) -> ModuleType:
    """Check ranks, shapes and dtypes; `probabilities` allows a target like prediction. Returns the executor."""
    executor = _arrays.require_floats(op, prediction=prediction, weight=weight)
    _arrays.require_arrays(op, prediction=prediction, target=target)
    if prediction.ndim == 0 or prediction.shape[class_axis(prediction.shape)] == 0:
        raise ValueError(
            f"{op}: prediction must have shape (N, C, ...) or (C,), C >= 1, got {prediction.shape}"
        )
    if weight is not None:
        classes = (prediction.shape[class_axis(prediction.shape)],)
        _arrays.require_shape(op, "weight", weight, classes, "the classes of prediction")
    if target.dtype.kind in "iu":
        _arrays.require_shape(
            op, "target", target, per_row(prediction.shape), "prediction without the classes"
        )
    elif not probabilities:
        raise TypeError(f"{op}: target must have an integer dtype, got {target.dtype}")
    else:
        _arrays.require_floats(op, prediction=prediction, target=target)
        _arrays.require_shape(op, "target", target, prediction.shape, "that of prediction, for probabilities")
    return executor


def class_axis(shape: tuple[int, ...]) -> int:
    return 0 if len(shape) == 1 else 1


def per_row(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without its classes."""
    return shape[2:] if len(shape) == 1 else (shape[0], *shape[2:])


def rows(x: Array) -> Array:
    """(N, C, d1, ...) or (C,) as (M, C), one row for each sample and position."""
    if x.ndim == 1:
        return _arrays.contiguous(x)[None]
    if x.ndim == 2:
        return _arrays.contiguous(x)
    order = (0, *range(2, x.ndim), 1)
    return _arrays.contiguous(x.transpose(order)).reshape(-1, x.shape[1])


def indices(target: Array) -> Array:
    """Class indices as (M,) int64."""
    whole = _arrays.contiguous(target if target.dtype == np.int64 else target.astype(np.int64))
    return whole if whole.ndim == 1 else whole.reshape(-1)


def buffers(x: Array, needs_gradient: bool) -> tuple[Array, Array, Array | None]:
    """Loss and weight of each row, in the precision of the sums, and room for the gradient."""
    made = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    loss, counted = (_arrays.empty((len(x),), made, like=x) for _ in range(2))
    return loss, counted, _arrays.empty(x.shape, x.dtype, like=x) if needs_gradient else None


def reduced(
    executor: ModuleType, prediction: Array, loss: Array, counted: Array, reduction: str
) -> tuple[Array, Array]:
    """The value, and the factor (1,) by which the reduction multiplies the gradient of each row."""
    shape = per_row(prediction.shape) if reduction == "none" else ()
    value = _arrays.empty((len(loss),) if reduction == "none" else (1,), prediction.dtype, like=loss)
    factor = _arrays.empty((1,), loss.dtype, like=loss)
    executor.loss_reduce(loss, counted, value, factor, reduction=_losses.REDUCTIONS.index(reduction))
    return value.reshape(shape), factor


def backward(op: str, kept: Kept, shape: tuple[int, ...], gradient: Array | None) -> Array:
    """kept[0] times the gradient of each row and the factor, as an array of `shape`."""
    if not isinstance(kept, tuple) or len(kept) != 2:
        raise TypeError(f"{op}: kept must be the pair that the forward gave, got {type(kept).__name__}")
    dx, factor = kept
    executor = _arrays.require_floats(op, kept=dx)
    moved = (1, *shape) if len(shape) == 1 else (*per_row(shape), shape[1])
    if not shape or np.prod(moved, dtype=int) != dx.size or moved[-1] != dx.shape[-1]:
        raise ValueError(f"{op}: shape must be that of prediction, {dx.size} elements, got {shape}")
    if gradient is None:
        gradient = _losses.checked_gradient(op, None, dx, ())
    _arrays.require_floats(op, kept=dx, gradient=gradient)
    if gradient.shape not in ((), per_row(shape)):
        raise ValueError(f"{op}: gradient must have shape () or {per_row(shape)}, got {gradient.shape}")
    executor.scale_rows(_arrays.contiguous(gradient).reshape(-1), factor, dx)
    if len(shape) == 1:
        return dx[0]
    return dx.reshape(moved).transpose(0, len(shape) - 1, *range(1, len(shape) - 1))

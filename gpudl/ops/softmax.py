"""Softmax and its logarithm along one axis: contracts."""

from __future__ import annotations

from typing import Any

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def softmax_forward(x: Array, axis: int, *, out: Array | None = None) -> Array:
    """y = exp(x - max) / sum of exp(x - max), along one axis.

    x : float16, bfloat16, float32 or float64 of at least one axis, NumPy or CuPy. axis : int in [-ndim, ndim).
    out : array like x to write to, or None for a new one. Returns y; a row that holds NaN, or no finite number
    and no maximum, is NaN. Raises ValueError and TypeError for what does not fit.
    Sums in float32 (float64 for float64). Same inputs, same device: same bits. Follows torch.softmax.
    """
    return _forward("softmax_forward", x, axis, out)


def softmax_backward(dy: Array, y: Array, axis: int, *, out: Array | None = None) -> Array:
    """Gradient of `softmax_forward`: dx = y * (dy - sum of dy * y along the axis).

    dy, y : one shape, dtype and device; y is the forward's result. Raises as `softmax_forward` does.
    """
    return _backward("softmax_backward", dy, y, axis, out)


def log_softmax_forward(x: Array, axis: int, *, out: Array | None = None) -> Array:
    """y = x - max - log(sum of exp(x - max)), along one axis; exact where softmax itself would be 0.

    Arguments, errors and precision as in `softmax_forward`. Follows torch.log_softmax.
    """
    return _forward("log_softmax_forward", x, axis, out)


def log_softmax_backward(dy: Array, y: Array, axis: int, *, out: Array | None = None) -> Array:
    """Gradient of `log_softmax_forward`: dx = dy - exp(y) * sum of dy along the axis.

    dy, y : one shape, dtype and device; y is the forward's result. Raises as `softmax_forward` does.
    """
    return _backward("log_softmax_backward", dy, y, axis, out)


def _forward(op: str, x: Array, axis: int, out: Array | None) -> Array:
    executor = _arrays.require_floats(op, x=x)
    axis = _axis(op, "x", x, axis)
    last = _last(x, axis)
    y = Result(op, last.shape, _out_last(op, out, x, axis), {"x": x})
    getattr(executor, op)(_rows(last), _rows(y.array))
    return _finish(y, out, axis)


def _backward(op: str, dy: Array, y: Array, axis: int, out: Array | None) -> Array:
    executor = _arrays.require_floats(op, dy=dy, y=y)
    _arrays.require_shape(op, "y", y, dy.shape, "that of dy")
    axis = _axis(op, "dy", dy, axis)
    gradient, values = _last(dy, axis), _last(y, axis)
    dx = Result(op, gradient.shape, _out_last(op, out, dy, axis), {"dy": dy, "y": y})
    getattr(executor, op)(_rows(gradient), _rows(values), _rows(dx.array))
    return _finish(dx, out, axis)


def _axis(op: str, name: str, array: Array, axis: Any) -> int:
    if array.ndim == 0:
        raise ValueError(f"{op}: {name} must have at least one axis, got shape ()")
    return _arrays.normalized_axis(op, "axis", axis, array.ndim)


def _last(array: Array, axis: int) -> Array:
    """`array` with `axis` last and contiguous; for the channels of a channels-last array that is no copy."""
    return _arrays.contiguous(_moved(array, axis, -1))


def _moved(array: Array, source: int, destination: int) -> Array:
    """numpy.moveaxis; `array` itself where nothing moves, as it took longer than the softmax of a few rows."""
    if source % array.ndim == destination % array.ndim:
        return array
    return _backend.array_module(array).moveaxis(array, source, destination)


def _rows(array: Array) -> Array:
    extent = array.shape[-1]
    return array.reshape(array.size // extent if extent else 0, extent)


def _out_last(op: str, out: Array | None, like: Array, axis: int) -> Array | None:
    if out is None:
        return None
    _arrays.require_arrays(op, out=out)
    _arrays.require_shape(op, "out", out, like.shape, "that of the result")
    return _moved(out, axis, -1)


def _finish(result: Result, out: Array | None, axis: int) -> Array:
    array = result.finish()
    return _moved(array, -1, axis) if out is None else out

"""Rectified linear unit: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def relu_forward(x: Array, *, out: Array | None = None) -> Array:
    """y = max(x, 0), element by element; NaN stays NaN.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for an array or `out` that does not fit. Exact. Follows torch.relu.
    """
    op = "relu_forward"
    executor = _arrays.require_floats(op, x=x)
    dense = _arrays.dense(x)
    y = Result(op, x.shape, out, {"x": x}, channels_last=_arrays.is_channels_last(dense), elementwise=True)
    executor.relu_forward(_arrays.flat(dense), _arrays.flat(y.array))
    return y.finish()


def relu_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """Gradient of `relu_forward`: dx = 0 where y <= 0, else dy (also where y is NaN).

    dy, y : one shape, dtype and device; y is the result of the forward (its x gives the same).
    out : array like dy to write to, or None; it may be dy itself. Raises as `relu_forward` does. Exact.
    """
    op = "relu_backward"
    executor = _arrays.require_floats(op, dy=dy, y=y)
    _arrays.require_shape(op, "y", y, dy.shape, "that of dy")
    values = _arrays.dense(y)
    gradient = _arrays.same_storage_as(values, dy)
    last = _arrays.is_channels_last(values)
    dx = Result(op, dy.shape, out, {"dy": dy, "y": y}, channels_last=last, elementwise=True)
    executor.relu_backward(_arrays.flat(gradient), _arrays.flat(values), _arrays.flat(dx.array))
    return dx.finish()

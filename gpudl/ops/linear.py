"""Linear (fully connected) operator: contracts."""

from __future__ import annotations

import math

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def linear_forward(x: Array, weight: Array, bias: Array | None = None, *, out: Array | None = None) -> Array:
    """Apply an affine map to the last axis.

    y[..., o] = bias[o] + sum over i of x[..., i] * weight[o, i]

    Parameters
    ----------
    x : (..., I) float16, bfloat16, float32 or float64, NumPy or CuPy.
    weight : (O, I), dtype and device of x.
    bias : (O,) or None, dtype and device of x.
    out : (..., O) to write to, or None for a new array.

    Returns
    -------
    y : (..., O), dtype of x.

    Raises
    ------
    ValueError : shapes disagree, or out overlaps an input.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    Accumulates in float32 (float64 for float64). Same inputs, same device: same bits.
    Follows torch.nn.functional.linear.
    """
    op = "linear_forward"
    executor = _arrays.require_floats(op, x=x, weight=weight, bias=bias)
    outputs = _check_weight(op, x, weight)
    if bias is not None:
        _arrays.require_shape(op, "bias", bias, (outputs,), f"(O,) of weight {weight.shape}")
        bias = _arrays.contiguous(bias)
    rows = _rows(x)
    y = Result(op, (*x.shape[:-1], outputs), out, {"x": x, "weight": weight, "bias": bias})
    executor.linear_forward(rows, _arrays.contiguous(weight), bias, y.array.reshape(len(rows), outputs))
    return y.finish()


def linear_backward_data(dy: Array, weight: Array, *, out: Array | None = None) -> Array:
    """Gradient of `linear_forward` with respect to x: dx[..., i] = sum over o of dy[..., o] * weight[o, i].

    dy : (..., O); weight : (O, I), dtype and device of dy; out : (..., I) or None. Returns dx : (..., I).
    Raises as `linear_forward` does.
    """
    op = "linear_backward_data"
    executor = _arrays.require_floats(op, dy=dy, weight=weight)
    _arrays.require_ndim(op, "weight", weight, "(O, I)")
    _check_last_axis(op, "dy", dy, weight.shape[0], f"O of weight {weight.shape}")
    rows = _rows(dy)
    inputs = weight.shape[1]
    dx = Result(op, (*dy.shape[:-1], inputs), out, {"dy": dy, "weight": weight})
    executor.linear_backward_data(rows, _arrays.contiguous(weight), dx.array.reshape(len(rows), inputs))
    return dx.finish()


def linear_backward_weight(dy: Array, x: Array, *, out: Array | None = None) -> Array:
    """Gradient of `linear_forward` with respect to weight: the sum over rows of dy[o] * x[i].

    dy : (..., O); x : (..., I) with the same leading axes, dtype and device; out : (O, I) or None.
    Returns dweight : (O, I). Raises as `linear_forward` does.
    """
    op = "linear_backward_weight"
    executor = _arrays.require_floats(op, dy=dy, x=x)
    _check_vectors(op, dy=dy, x=x)
    if dy.shape[:-1] != x.shape[:-1]:
        raise ValueError(f"{op}: dy and x must agree in all axes but the last, got {dy.shape} and {x.shape}")
    dweight = Result(op, (dy.shape[-1], x.shape[-1]), out, {"dy": dy, "x": x})
    executor.linear_backward_weight(_rows(dy), _rows(x), dweight.array)
    return dweight.finish()


def linear_backward_bias(dy: Array, *, out: Array | None = None) -> Array:
    """Gradient of `linear_forward` with respect to bias: the sum of dy over all axes but the last.

    dy : (..., O); out : (O,) or None. Returns dbias : (O,). Raises as `linear_forward` does.
    """
    op = "linear_backward_bias"
    executor = _arrays.require_floats(op, dy=dy)
    _check_vectors(op, dy=dy)
    dbias = Result(op, dy.shape[-1:], out, {"dy": dy})
    executor.linear_backward_bias(_rows(dy), dbias.array)
    return dbias.finish()


def _rows(x: Array) -> Array:
    """(..., I) as a dense (rows, I)."""
    return _arrays.contiguous(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _check_weight(op: str, x: Array, weight: Array) -> int:
    _arrays.require_ndim(op, "weight", weight, "(O, I)")
    _check_last_axis(op, "x", x, weight.shape[1], f"I of weight {weight.shape}")
    return weight.shape[0]


def _check_last_axis(op: str, name: str, x: Array, expected: int, why: str) -> None:
    _check_vectors(op, **{name: x})
    if x.shape[-1] != expected:
        raise ValueError(f"{op}: the last axis of {name} must be {expected}, {why}, got {name} {x.shape}")


def _check_vectors(op: str, **arrays: Array) -> None:
    for name, array in arrays.items():
        if array.ndim == 0:
            raise ValueError(f"{op}: {name} must have at least one axis, got shape ()")

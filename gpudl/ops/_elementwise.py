"""What the contracts of the activations share: any shape, storage order kept, `out` may be the input."""

from __future__ import annotations

from typing import Any

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def forward(op: str, x: Array, out: Array | None, **numbers: Any) -> Array:
    """Check x and run `executor.<op>` on its flat memory."""
    executor = _arrays.require_floats(op, x=x)
    dense = _arrays.dense(x)
    y = Result(op, x.shape, out, {"x": x}, channels_last=_arrays.is_channels_last(dense), elementwise=True)
    getattr(executor, op)(_arrays.flat(dense), _arrays.flat(y.array), **numbers)
    return y.finish()


def backward(op: str, dy: Array, name: str, saved: Array, out: Array | None, **numbers: Any) -> Array:
    """Check dy against what was saved and run `executor.<op>` on their flat memory."""
    executor = _arrays.require_floats(op, **{"dy": dy, name: saved})
    _arrays.require_shape(op, name, saved, dy.shape, "that of dy")
    values = _arrays.dense(saved)
    gradient = _arrays.same_storage_as(values, dy)
    last = _arrays.is_channels_last(values)
    dx = Result(op, dy.shape, out, {"dy": dy, name: saved}, channels_last=last, elementwise=True)
    getattr(executor, op)(_arrays.flat(gradient), _arrays.flat(values), _arrays.flat(dx.array), **numbers)
    return dx.finish()

"""Sum of two arrays: contract."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def add_forward(a: Array, b: Array, *, out: Array | None = None) -> Array:
    """y = a + b, element by element; both gradients are dy itself.

    a, b : one shape, dtype (float16, bfloat16, float32 or float64) and device; there is no broadcasting.
    out : array of that shape to write to, or None; it may be a or b.
    Returns y in the storage order of a. Raises ValueError for two shapes, TypeError for unsupported dtypes.
    """
    op = "add_forward"
    executor = _arrays.require_floats(op, a=a, b=b)
    _arrays.require_shape(op, "b", b, a.shape, "that of a")
    a = _arrays.dense(a)
    b = _arrays.same_storage_as(a, b)
    last = _arrays.is_channels_last(a)
    y = Result(op, a.shape, out, {"a": a, "b": b}, channels_last=last, elementwise=True)
    executor.add_forward(_arrays.flat(a), _arrays.flat(b), _arrays.flat(y.array))
    return y.finish()

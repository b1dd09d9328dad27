"""Rectified linear unit with a bound: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _elementwise


def relu6_forward(x: Array, *, out: Array | None = None) -> Array:
    """y = min(max(x, 0), 6); NaN stays NaN.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.relu6.
    """
    return _elementwise.forward("relu6_forward", x, out)


def relu6_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """Gradient of `relu6_forward`: dx = 0 where y <= 0 or y >= 6, else dy.

    dy, y : one shape, dtype and device; y is the result of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    return _elementwise.backward("relu6_backward", dy, "y", y, out)

"""Rectified linear unit: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _elementwise


def relu_forward(x: Array, *, out: Array | None = None) -> Array:
    """y = max(x, 0), element by element; NaN stays NaN.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for an array or `out` that does not fit. Exact. Follows torch.relu.
    """
    return _elementwise.forward("relu_forward", x, out)


def relu_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """Gradient of `relu_forward`: dx = 0 where y <= 0, else dy (also where y is NaN).

    dy, y : one shape, dtype and device; y is the result of the forward (its x gives the same).
    out : array like dy to write to, or None; it may be dy itself. Raises as `relu_forward` does. Exact.
    """
    return _elementwise.backward("relu_backward", dy, "y", y, out)

"""Logistic sigmoid: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _elementwise


def sigmoid_forward(x: Array, *, out: Array | None = None) -> Array:
    """y = 1 / (1 + exp(-x)).

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows torch.sigmoid.
    """
    return _elementwise.forward("sigmoid_forward", x, out)


def sigmoid_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """Gradient of `sigmoid_forward`: dx = dy * y * (1 - y).

    dy, y : one shape, dtype and device; y is the result of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    return _elementwise.backward("sigmoid_backward", dy, "y", y, out)

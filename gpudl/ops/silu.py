"""Sigmoid linear unit: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _elementwise


def silu_forward(x: Array, *, out: Array | None = None) -> Array:
    """y = x / (1 + exp(-x)).

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.silu; Elfwing et al., 2017.
    """
    return _elementwise.forward("silu_forward", x, out)


def silu_backward(dy: Array, x: Array, *, out: Array | None = None) -> Array:
    """Gradient of `silu_forward`: dx = dy * s * (1 + x * (1 - s)), s = sigmoid(x).

    dy, x : one shape, dtype and device; x is the input of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    return _elementwise.backward("silu_backward", dy, "x", x, out)

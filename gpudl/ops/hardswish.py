"""Hard swish: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _elementwise


def hardswish_forward(x: Array, *, out: Array | None = None) -> Array:
    """y = x * min(max(x + 3, 0), 6) / 6.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows
    torch.nn.functional.hardswish; Howard et al., ICCV 2019.
    """
    return _elementwise.forward("hardswish_forward", x, out)


def hardswish_backward(dy: Array, x: Array, *, out: Array | None = None) -> Array:
    """Gradient of `hardswish_forward`: dx = 0 where x <= -3, dy where x >= 3, else dy * (x / 3 + 1/2).

    dy, x : one shape, dtype and device; x is the input of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    return _elementwise.backward("hardswish_backward", dy, "x", x, out)

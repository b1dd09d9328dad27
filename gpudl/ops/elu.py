"""Exponential linear unit: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _elementwise


def elu_forward(x: Array, *, alpha: float = 1.0, out: Array | None = None) -> Array:
    """y = x where x > 0, else alpha * (exp(x) - 1).

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    alpha : >= 0.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.elu; Clevert et al., ICLR 2016.
    """
    alpha = _arrays.real("elu_forward", "alpha", alpha, minimum=0)
    return _elementwise.forward("elu_forward", x, out, alpha=alpha)


def elu_backward(dy: Array, y: Array, *, alpha: float = 1.0, out: Array | None = None) -> Array:
    """Gradient of `elu_forward`: dx = dy where y > 0, else dy * (y + alpha).

    dy, y : one shape, dtype and device; y is the result of the forward. The numbers are those of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    alpha = _arrays.real("elu_backward", "alpha", alpha, minimum=0)
    return _elementwise.backward("elu_backward", dy, "y", y, out, alpha=alpha)

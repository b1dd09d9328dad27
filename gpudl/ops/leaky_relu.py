"""Leaky rectified linear unit: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _elementwise


def leaky_relu_forward(x: Array, *, negative_slope: float = 0.01, out: Array | None = None) -> Array:
    """y = x where x > 0, else negative_slope * x.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    negative_slope : any finite number.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.leaky_relu.
    """
    negative_slope = _arrays.real("leaky_relu_forward", "negative_slope", negative_slope)
    return _elementwise.forward("leaky_relu_forward", x, out, negative_slope=negative_slope)


def leaky_relu_backward(
    dy: Array, x: Array, *, negative_slope: float = 0.01, out: Array | None = None
) -> Array:
    """Gradient of `leaky_relu_forward`: dx = dy where x > 0, else negative_slope * dy.

    dy, x : one shape, dtype and device; x is the input of the forward, or with negative_slope >= 0 its y.
    The numbers are those of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    negative_slope = _arrays.real("leaky_relu_backward", "negative_slope", negative_slope)
    return _elementwise.backward("leaky_relu_backward", dy, "x", x, out, negative_slope=negative_slope)

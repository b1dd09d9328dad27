"""Softplus: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _elementwise, _losses


def softplus_forward(
    x: Array, *, beta: float = 1.0, threshold: float = 20.0, out: Array | None = None
) -> Array:
    """y = log(1 + exp(beta * x)) / beta, and x where beta * x > threshold.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    beta : > 0, the sharpness.
    threshold : above it, beta * x is taken as large and y = x.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.softplus.
    """
    beta = _losses.positive("softplus_forward", "beta", beta)
    threshold = _arrays.real("softplus_forward", "threshold", threshold)
    return _elementwise.forward("softplus_forward", x, out, beta=beta, threshold=threshold)


def softplus_backward(
    dy: Array, x: Array, *, beta: float = 1.0, threshold: float = 20.0, out: Array | None = None
) -> Array:
    """Gradient of `softplus_forward`: dx = dy * sigmoid(beta * x), and dy where beta * x > threshold.

    dy, x : one shape, dtype and device; x is the input of the forward. The numbers are those of the forward.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    beta = _losses.positive("softplus_backward", "beta", beta)
    threshold = _arrays.real("softplus_backward", "threshold", threshold)
    return _elementwise.backward("softplus_backward", dy, "x", x, out, beta=beta, threshold=threshold)

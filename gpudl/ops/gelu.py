"""Gaussian error linear unit: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _elementwise

APPROXIMATIONS = ("none", "tanh")


def gelu_forward(x: Array, *, approximate: str = "none", out: Array | None = None) -> Array:
    """y = x * P(Z <= x) for a standard normal Z, that is x * (1 + erf(x / sqrt(2))) / 2.

    approximate="tanh": y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    out : array like x to write to, or None for a new one in the storage order of x; it may be x itself.
    Raises ValueError and TypeError for what does not fit. The left tail keeps its relative accuracy.
    Follows torch.nn.functional.gelu; Hendrycks and Gimpel, 2016.
    """
    _arrays.one_of("gelu_forward", "approximate", approximate, APPROXIMATIONS)
    return _elementwise.forward("gelu_forward", x, out, tanh=int(approximate == "tanh"))


def gelu_backward(dy: Array, x: Array, *, approximate: str = "none", out: Array | None = None) -> Array:
    """Gradient of `gelu_forward`: dx = dy * (P(Z <= x) + x * density(x)), or that of the approximation.

    dy, x : one shape, dtype and device; x is the input of the forward, approximate its.
    out : array like dy to write to, or None; it may be dy itself. Raises as the forward does.
    """
    _arrays.one_of("gelu_backward", "approximate", approximate, APPROXIMATIONS)
    return _elementwise.backward("gelu_backward", dy, "x", x, out, tanh=int(approximate == "tanh"))

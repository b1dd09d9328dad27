"""Adaptive average pooling: contracts."""

from __future__ import annotations

from typing import Any

from gpudl._backend import Array
from gpudl.ops import _arrays, _pool


def adaptive_avg_pool2d_forward(x: Array, output_size: Any) -> Array:
    """y[n, c, p, q] = mean of x[n, c, floor(p H / P) : ceil((p + 1) H / P), floor(q W / Q) : ceil((q + 1) W / Q)].

    x : (N, C, H, W) or (C, H, W), float16, bfloat16, float32 or float64, NumPy or CuPy.
    output_size : P and Q as an int or a pair of ints; None keeps an extent.
    Returns y : (N, C, P, Q). Raises ValueError and TypeError for what does not fit.
    Follows torch.nn.functional.adaptive_avg_pool2d.
    """
    op = "adaptive_avg_pool2d_forward"
    executor = _arrays.require_floats(op, x=x)
    dense, unbatched = _pool.batch(op, "x", x)
    _pool.require_size(op, dense)
    size = _pool.adaptive_size(op, output_size, dense.shape[2:])
    y = _pool.new((dense.shape[0], *size, dense.shape[1]), x.dtype, dense)
    executor.adaptive_avg_pool2d_forward(_pool.memory(dense), y)
    return _pool.unmemory(y, unbatched)


def adaptive_avg_pool2d_backward(dy: Array, x_shape: tuple[int, ...]) -> Array:
    """Gradient of `adaptive_avg_pool2d_forward`: each bin's dy / size on all its elements, overlaps added.

    dy : shaped as the forward's result. x_shape : that of x. Returns dx : x_shape. Fixed order of sums.
    Raises ValueError and TypeError for what does not fit.
    """
    op = "adaptive_avg_pool2d_backward"
    executor = _arrays.require_floats(op, dy=dy)
    dense, unbatched = _pool.batch(op, "dy", dy)
    shape = _pool.x_size(op, x_shape, unbatched)
    if shape[:2] != dense.shape[:2] or min(shape[1:]) < 1 or min(dense.shape[2:]) < 1:
        raise ValueError(f"{op}: x_shape and dy must agree but for H and W, got {x_shape} and {dy.shape}")
    n, c, h, w = shape
    dx = _pool.new((n, h, w, c), dy.dtype, dense)
    executor.adaptive_avg_pool2d_backward(_pool.memory(dense), dx)
    return _pool.unmemory(dx, unbatched)

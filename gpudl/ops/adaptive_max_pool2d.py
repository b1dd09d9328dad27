"""Adaptive max pooling: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _pool


def adaptive_max_pool2d_forward(x: Array, output_size: Any) -> tuple[Array, Array]:
    """y[n, c, p, q] = max of x[n, c, floor(p H / P) : ceil((p + 1) H / P), floor(q W / Q) : ceil((q + 1) W / Q)].

    x : (N, C, H, W) or (C, H, W), float16, bfloat16, float32 or float64, NumPy or CuPy.
    output_size : P and Q as an int or a pair of ints; None keeps an extent.
    Returns y : (N, C, P, Q), and indices, int64, shaped as y: h * W + w of the first largest element.
    NaN where the bin has one. Raises ValueError and TypeError for what does not fit.
    Follows torch.nn.functional.adaptive_max_pool2d.
    """
    op = "adaptive_max_pool2d_forward"
    executor = _arrays.require_floats(op, x=x)
    dense, unbatched = _pool.batch(op, "x", x)
    _pool.require_size(op, dense)
    size = _pool.adaptive_size(op, output_size, dense.shape[2:])
    shape = (dense.shape[0], *size, dense.shape[1])
    y, indices = _pool.new(shape, x.dtype, dense), _pool.new(shape, np.int64, dense)
    executor.adaptive_max_pool2d_forward(_pool.memory(dense), y, indices)
    return _pool.unmemory(y, unbatched), _pool.unmemory(indices, unbatched)


def adaptive_max_pool2d_backward(dy: Array, indices: Array, x_shape: tuple[int, ...]) -> Array:
    """Gradient of `adaptive_max_pool2d_forward`: dx at indices is the sum of the dy of the bins that chose it.

    dy, indices : as the forward gave. x_shape : that of x. Returns dx : x_shape. Fixed order of sums.
    Raises ValueError (on NumPy also for an index outside the plane; kernels pass no gradient through an index outside
    its bin) and TypeError.
    """
    op = "adaptive_max_pool2d_backward"
    executor = _arrays.require_floats(op, dy=dy)
    _arrays.require_arrays(op, dy=dy, indices=indices)
    if indices.dtype != np.int64:
        raise TypeError(f"{op}: indices must be int64, got {indices.dtype}")
    _arrays.require_shape(op, "indices", indices, dy.shape, "that of dy")
    dense, unbatched = _pool.batch(op, "dy", dy)
    places, _ = _pool.batch(op, "indices", indices)
    shape = _pool.x_size(op, x_shape, unbatched)
    if shape[:2] != dense.shape[:2]:
        raise ValueError(f"{op}: x_shape and dy must agree but for H and W, got {x_shape} and {dy.shape}")
    n, c, h, w = shape
    dx = _pool.new((n, h, w, c), dy.dtype, dense)
    executor.adaptive_max_pool2d_backward(_pool.memory(dense), _pool.memory(places), dx)
    return _pool.unmemory(dx, unbatched)

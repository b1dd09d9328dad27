"""Global average pooling: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _pool


def global_avg_pool2d_forward(x: Array) -> Array:
    """y[n, c, 0, 0] = mean over h, w of x[n, c, h, w].

    x : (N, C, H, W) or (C, H, W), float16, bfloat16, float32 or float64, NumPy or CuPy.
    Returns y : (N, C, 1, 1) or (C, 1, 1). Raises ValueError and TypeError for what does not fit.
    """
    op = "global_avg_pool2d_forward"
    executor = _arrays.require_floats(op, x=x)
    dense, unbatched = _pool.batch(op, "x", x)
    _pool.require_size(op, dense)
    y = _pool.new((dense.shape[0], 1, 1, dense.shape[1]), x.dtype, dense)
    executor.global_avg_pool2d_forward(_pool.memory(dense), y)
    return _pool.unmemory(y, unbatched)


def global_avg_pool2d_backward(dy: Array, x_shape: tuple[int, ...]) -> Array:
    """Gradient of `global_avg_pool2d_forward`: dx[n, c, h, w] = dy[n, c, 0, 0] / (H * W).

    dy : (N, C, 1, 1) or (C, 1, 1). x_shape : that of x. Returns dx : x_shape.
    Raises ValueError and TypeError for what does not fit.
    """
    op = "global_avg_pool2d_backward"
    executor = _arrays.require_floats(op, dy=dy)
    dense, unbatched = _pool.batch(op, "dy", dy)
    shape = _pool.x_size(op, x_shape, unbatched)
    if min(shape[1:]) < 1:
        raise ValueError(f"{op}: x_shape must have {dy.ndim} extents of at least 1, got {x_shape}")
    _pool.require_dy(op, dense, (*shape[:2], 1, 1))
    n, c, h, w = shape
    dx = _pool.new((n, h, w, c), dy.dtype, dense)
    executor.global_avg_pool2d_backward(_pool.memory(dense), dx)
    return _pool.unmemory(dx, unbatched)

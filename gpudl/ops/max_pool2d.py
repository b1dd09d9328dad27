"""Max pooling: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _pool


def max_pool2d_forward(
    x: Array,
    kernel_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    needs_offsets: bool = False,
) -> Array | tuple[Array, Array]:
    """y[n, c, p, q] = max over r, s of x[n, c, p * sh + r * dh - ph, q * sw + s * dw - pw], outside x -inf.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W), float16, bfloat16, float32 or float64, NumPy or CuPy.
    kernel_size, stride, padding, dilation : int or (int, int), in pixels; stride None is kernel_size, padding at
        most half of kernel_size.
    ceil_mode : True rounds the output size up; windows that would start in the far padding are left out.
    needs_offsets : True also returns which element of each window is the first largest.

    Returns
    -------
    y : (N, C, P, Q), dtype of x; P = (H + 2 * ph - dh * (R - 1) - 1) // sh + 1.
    offsets : r * S + s of each window, shaped as y; uint8, or uint16 for windows of more than 256 elements.

    Raises
    ------
    ValueError : ranks or numbers do not fit. TypeError : a dtype is unsupported.

    Exact; NaN where the window has one. A window wholly in the padding, which dilation allows, is -inf and passes
    no gradient on (PyTorch gives it to an element outside the window). Follows torch.nn.functional.max_pool2d.
    """
    op = "max_pool2d_forward"
    executor = _arrays.require_floats(op, x=x)
    numbers = _pool.window(op, kernel_size, stride, padding, dilation)
    dense, unbatched = _pool.batch(op, "x", x)
    _pool.require_size(op, dense)
    size = _pool.output_size(op, dense.shape[2:], numbers, ceil_mode)
    shape = (dense.shape[0], *size, dense.shape[1])
    y = _pool.new(shape, x.dtype, dense)
    offsets = _pool.new(shape, offset_dtype(op, numbers["kernel_size"]), dense) if needs_offsets else None
    executor.max_pool2d_forward(_pool.memory(dense), y, offsets, **numbers)
    result = _pool.unmemory(y, unbatched)
    return result if offsets is None else (result, _pool.unmemory(offsets, unbatched))


def max_pool2d_backward(
    dy: Array,
    offsets: Array,
    x_shape: tuple[int, ...],
    kernel_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Array:
    """Gradient of `max_pool2d_forward`: dx is the sum of dy over the windows whose largest element is there.

    dy, offsets : shaped as the forward's result, offsets as it gave them. x_shape : that of x.
    The numbers are those of the forward. Returns dx : x_shape. Raises as the forward does. Fixed order of sums.
    """
    op = "max_pool2d_backward"
    executor = _arrays.require_floats(op, dy=dy)
    numbers, (n, c, h, w), places, unbatched = _places(
        op, offsets, x_shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    _pool.require_dy(op, dy, offsets.shape)
    _arrays.require_arrays(op, dy=dy, offsets=offsets)
    dense, _ = _pool.batch(op, "dy", dy)
    dx = _pool.new((n, h, w, c), dy.dtype, dense)
    executor.max_pool2d_backward(_pool.memory(dense), places, dx, **numbers)
    return _pool.unmemory(dx, unbatched)


def max_pool2d_indices(
    offsets: Array,
    x_shape: tuple[int, ...],
    kernel_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Array:
    """The offsets of `max_pool2d_forward` as PyTorch's indices h * W + w into the plane of x.

    offsets, x_shape and the numbers are those of the forward. Returns int64, shaped as offsets. Raises as the
    forward does.
    """
    op = "max_pool2d_indices"
    executor = _arrays.require_arrays(op, offsets=offsets)
    numbers, shape, places, unbatched = _places(
        op, offsets, x_shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    indices = _pool.new(places.shape, np.int64, places)
    executor.max_pool2d_indices(places, indices, height=shape[2], width=shape[3], **numbers)
    return _pool.unmemory(indices, unbatched)


def offset_dtype(op: str, kernel: tuple[int, int]) -> np.dtype:
    """The smallest type that holds every offset of a window."""
    count = kernel[0] * kernel[1]
    if count > 1 << 16:
        raise ValueError(f"{op}: kernel_size must hold at most 65536 elements, got {kernel}")
    return np.dtype(np.uint8 if count <= 256 else np.uint16)


def _places(
    op: str,
    offsets: Array,
    x_shape: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[dict[str, tuple[int, int]], tuple[int, ...], Array, bool]:
    """The numbers, x_shape with N, offsets as (N, P, Q, C) memory, and whether x had no N."""
    _arrays.require_arrays(op, offsets=offsets)
    numbers = _pool.window(op, kernel_size, stride, padding, dilation)
    expected = offset_dtype(op, numbers["kernel_size"])
    if offsets.dtype != expected:
        raise TypeError(
            f"{op}: offsets must be {expected} for kernel_size {numbers['kernel_size']}, got {offsets.dtype}"
        )
    dense, unbatched = _pool.batch(op, "offsets", offsets)
    shape = _pool.x_size(op, x_shape, unbatched)
    size = _pool.output_size(op, shape[2:], numbers, ceil_mode)
    _arrays.require_shape(op, "offsets", dense, (*shape[:2], *size), "that of the forward's result")
    return numbers, shape, _pool.memory(dense), unbatched

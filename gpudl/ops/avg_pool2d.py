"""Average pooling: contracts."""

from __future__ import annotations

from typing import Any

from gpudl._backend import Array
from gpudl.ops import _arrays, _pool


def avg_pool2d_forward(
    x: Array,
    kernel_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """y[n, c, p, q] = sum over r, s of x[n, c, p * sh + r - ph, q * sw + s - pw] / divisor, outside x zero.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W), float16, bfloat16, float32 or float64, NumPy or CuPy.
    kernel_size, stride, padding : int or (int, int), in pixels; stride None is kernel_size, padding at most half
        of kernel_size.
    ceil_mode : True rounds the output size up; windows that would start in the far padding are left out.
    count_include_pad : the divisor is the size of the window in the padded input; False counts elements of x only.
    divisor_override : an int >= 1 that is the divisor everywhere, or None.

    Returns y : (N, C, P, Q), dtype of x; P = (H + 2 * ph - R) // sh + 1.
    Raises ValueError where ranks or numbers do not fit, TypeError for another dtype.
    Follows torch.nn.functional.avg_pool2d.
    """
    op = "avg_pool2d_forward"
    executor = _arrays.require_floats(op, x=x)
    numbers = _pool.window(op, kernel_size, stride, padding)
    divisor = _divisor(op, count_include_pad, divisor_override)
    dense, unbatched = _pool.batch(op, "x", x)
    _pool.require_size(op, dense)
    size = _pool.output_size(op, dense.shape[2:], numbers, ceil_mode)
    y = _pool.new((dense.shape[0], *size, dense.shape[1]), x.dtype, dense)
    executor.avg_pool2d_forward(_pool.memory(dense), y, **_without_dilation(numbers), **divisor)
    return _pool.unmemory(y, unbatched)


def avg_pool2d_backward(
    dy: Array,
    x_shape: tuple[int, ...],
    kernel_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Gradient of `avg_pool2d_forward`: dx is the sum of dy / divisor over the windows that hold the element.

    dy : shaped as the forward's result. x_shape and the numbers are those of the forward.
    Returns dx : x_shape. Raises as the forward does. Fixed order of sums.
    """
    op = "avg_pool2d_backward"
    executor = _arrays.require_floats(op, dy=dy)
    numbers = _pool.window(op, kernel_size, stride, padding)
    divisor = _divisor(op, count_include_pad, divisor_override)
    dense, unbatched = _pool.batch(op, "dy", dy)
    shape = _pool.x_size(op, x_shape, unbatched)
    size = _pool.output_size(op, shape[2:], numbers, ceil_mode)
    _pool.require_dy(op, dense, (*shape[:2], *size))
    n, c, h, w = shape
    dx = _pool.new((n, h, w, c), dy.dtype, dense)
    executor.avg_pool2d_backward(_pool.memory(dense), dx, **_without_dilation(numbers), **divisor)
    return _pool.unmemory(dx, unbatched)


def _divisor(op: str, count_include_pad: bool, divisor_override: int | None) -> dict[str, int]:
    """divisor_override as 0 where there is none."""
    _arrays.one_of(op, "count_include_pad", count_include_pad, (False, True))
    override = 0
    if divisor_override is not None:
        override = _arrays.integer(op, "divisor_override", divisor_override, minimum=1)
    return {"count_include_pad": int(count_include_pad), "divisor_override": override}


def _without_dilation(numbers: dict[str, _pool.Pair]) -> dict[str, _pool.Pair]:
    return {name: pair for name, pair in numbers.items() if name != "dilation"}

"""Several axes made one, in logical order: contracts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def flatten_forward(x: Array, start_dim: int = 1, end_dim: int = -1, *, out: Array | None = None) -> Array:
    """Make axes start_dim to end_dim one axis; elements in C order of (N, C, H, W), whatever the storage.

    x : float16, bfloat16, float32 or float64, NumPy or CuPy. start_dim <= end_dim : ints in [-ndim, ndim).
    out : array to write to, or None for a new one. Returns y, never a view of x.
    Raises ValueError for axes out of order or range, TypeError for unsupported dtypes. Follows torch.flatten.
    """
    op = "flatten_forward"
    executor = _arrays.require_floats(op, x=x)
    start, end = (
        _arrays.normalized_axis(op, name, value, max(x.ndim, 1))
        for name, value in (("start_dim", start_dim), ("end_dim", end_dim))
    )
    if start > end:
        raise ValueError(
            f"{op}: start_dim must not come after end_dim, got {start_dim} and {end_dim} for {x.shape}"
        )
    shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
    y = Result(op, shape, out, {"x": x}, channels_last=len(shape) in (3, 4))
    _reshape(executor, x, y.array)
    return y.finish()


def flatten_backward(dy: Array, input_size: Sequence[int], *, out: Array | None = None) -> Array:
    """Gradient of `flatten_forward`: dy in the shape of x, stored channels-last where that has 3 or 4 axes.

    dy : as y. input_size : shape of x, with as many elements as dy. out : of that shape, or None.
    Raises ValueError for another number of elements, TypeError for unsupported dtypes.
    """
    op = "flatten_backward"
    executor = _arrays.require_floats(op, dy=dy)
    if not isinstance(input_size, tuple | list):
        raise TypeError(f"{op}: input_size must be a tuple of ints, got {type(input_size).__name__}")
    shape = tuple(_arrays.integer(op, "input_size", extent, minimum=0) for extent in input_size)
    if math.prod(shape) != dy.size:
        raise ValueError(
            f"{op}: dy must have the {math.prod(shape)} elements of input_size {shape}, got {dy.shape}"
        )
    dx = Result(op, shape, out, {"dy": dy}, channels_last=len(shape) in (3, 4))
    _reshape(executor, dy, dx.array)
    return dx.finish()


def _reshape(executor: ModuleType, x: Array, y: Array) -> None:
    """y = the elements of x in C order; y is dense, C-contiguous or channels-last."""
    x = _arrays.dense(x)
    both_last = _arrays.is_channels_last(x) and _arrays.is_channels_last(y)
    only_positions_joined = both_last and x.shape[:2] == y.shape[:2]
    if only_positions_joined or (x.flags.c_contiguous and y.flags.c_contiguous):
        executor.copy(_arrays.flat(x), _arrays.flat(y))
    elif y.flags.c_contiguous:
        _arrays.to_contiguous(x, y.reshape(x.shape))
    else:
        _arrays.to_channels_last(_arrays.contiguous(x).reshape(y.shape), y)

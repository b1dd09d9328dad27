"""Arrays joined along an axis, and cut again: contracts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result


def concat_forward(arrays: Sequence[Array], axis: int = 1, *, out: Array | None = None) -> Array:
    """Join arrays along `axis`.

    arrays : at least one; one dtype, device and rank, and one extent on every axis but `axis`.
    axis : int in [-ndim, ndim); 1 joins channels.
    out : array to write to, or None for a new one, stored channels-last where it has 3 or 4 axes.
    Raises ValueError for shapes that do not fit, TypeError for unsupported dtypes. Follows torch.cat.
    """
    op = "concat_forward"
    if not isinstance(arrays, tuple | list) or not arrays:
        raise TypeError(
            f"{op}: arrays must be a list or tuple of at least one array, got {type(arrays).__name__}"
        )
    named = {f"arrays[{i}]": array for i, array in enumerate(arrays)}
    executor = _arrays.require_floats(op, **named)
    first = arrays[0]
    axis = _arrays.normalized_axis(op, "axis", axis, first.ndim)
    for name, array in named.items():
        if array.ndim != first.ndim or _without(array.shape, axis) != _without(first.shape, axis):
            raise ValueError(
                f"{op}: {name} must agree with {first.shape} but for axis {axis}, got {array.shape}"
            )
    shape = (*first.shape[:axis], sum(array.shape[axis] for array in arrays), *first.shape[axis + 1 :])
    y = Result(op, shape, out, named, channels_last=first.ndim in (3, 4))
    *pieces, whole = _rows([*arrays, y.array], axis)
    executor.concat_forward(pieces, whole)
    return y.finish()


def concat_backward(dy: Array, extents: Sequence[int], axis: int = 1) -> list[Array]:
    """Gradients of `concat_forward`: dy cut along `axis` into pieces of `extents`, each an array of its own.

    dy : as y. extents : ints of at least 0 whose sum is the extent of dy along `axis`.
    Raises ValueError where they do not add up, TypeError for unsupported dtypes.
    """
    op = "concat_backward"
    executor = _arrays.require_floats(op, dy=dy)
    axis = _arrays.normalized_axis(op, "axis", axis, dy.ndim)
    if not isinstance(extents, tuple | list):
        raise TypeError(f"{op}: extents must be a list or tuple of ints, got {type(extents).__name__}")
    sizes = [_arrays.integer(op, "extents", extent, minimum=0) for extent in extents]
    if sum(sizes) != dy.shape[axis]:
        raise ValueError(
            f"{op}: extents must add up to {dy.shape[axis]}, axis {axis} of dy {dy.shape}, got {sizes}"
        )
    shapes = [(*dy.shape[:axis], size, *dy.shape[axis + 1 :]) for size in sizes]
    last = dy.ndim in (3, 4)
    gradients = [Result(op, shape, None, {"dy": dy}, channels_last=last).array for shape in shapes]
    whole, *pieces = _rows([dy, *gradients], axis)
    executor.concat_backward(whole, pieces)
    return gradients


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _rows(arrays: Sequence[Array], axis: int) -> list[Array]:
    """The memory of arrays stored as results are, each (M, K_i), M being the extents before `axis` in that memory."""
    ndim = arrays[0].ndim
    if ndim in (3, 4):
        order = (0, *range(2, ndim), 1)
        memories, axis = [_arrays.channels_last(x).transpose(order) for x in arrays], order.index(axis)
    else:
        memories = [_arrays.contiguous(x) for x in arrays]
    rows = math.prod(memories[0].shape[:axis])
    return [memory.reshape(rows, memory.size // rows if rows else 0) for memory in memories]

"""2-D transposed convolution: contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpudl._backend import Array
from gpudl.ops import _arrays, _convolution
from gpudl.ops._arrays import Result
from gpudl.ops._convolution import LAYOUTS, Geometry, batched, dense_images, finish_images, images_result

_WEIGHT = "(C, K, R, S)"


def conv_transpose2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    out: Array | None = None,
) -> Array:
    """Spread each pixel over a window, weighted by a filter: the gradient of a convolution used as an operator.

    y[n, k, p, q] = bias[k] + sum over c, h, w, r, s with p = h * sh + r * dh - ph, q = w * sw + s * dw - pw of
                    x[n, c, h, w] * weight[c, k, r, s]
    With groups, channel c reaches the filters of its own group only.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W) float16, bfloat16, float32 or float64, NumPy or CuPy.
    weight : (C, K / groups, R, S), dtype and device of x.
    bias : (K,) or None, dtype and device of x.
    stride, dilation : int or (int, int), at least 1, in pixels.
    padding : int or (int, int), at least 0: pixels dropped at each edge of y.
    output_padding : int or (int, int), pixels added at the bottom and the right; less than stride or dilation.
    groups : int that divides C.
    out : (N, K, P, Q) or (K, P, Q) to write to, or None for a new array, stored channels-last.

    Returns
    -------
    y : (N, K, P, Q) or (K, P, Q). P = (H - 1) * sh - 2 * ph + dh * (R - 1) + output_padding + 1; Q likewise.

    Raises
    ------
    ValueError : ranks, channels or sizes disagree, P or Q would be below 1, or out overlaps an input.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    Accumulates in float32 (float64 for float64). Same inputs, same device: same bits.
    Follows torch.nn.functional.conv_transpose2d.
    """
    op = "conv_transpose2d_forward"
    executor = _arrays.require_floats(op, x=x, weight=weight, bias=bias)
    unbatched = _arrays.require_ndim(op, "x", x, LAYOUTS[2], unbatched=True)
    _arrays.require_ndim(op, "weight", weight, _WEIGHT)
    images = batched(x, unbatched)
    geometry, shape = _sizes(
        op, images.shape, weight.shape, stride, padding, output_padding, dilation, groups
    )
    if bias is not None:
        _arrays.require_shape(op, "bias", bias, shape[1:2], f"(K,) of weight {weight.shape}")
        bias = _arrays.contiguous(bias)
    y = images_result(op, shape, out, unbatched, {"x": x, "weight": weight, "bias": bias})
    executor.conv_transpose2d_forward(
        dense_images(images), dense_images(weight), bias, y.array, **geometry.executor_arguments()
    )
    return finish_images(y, out, unbatched)


def conv_transpose2d_backward_data(
    dy: Array,
    weight: Array,
    input_size: Sequence[int],
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    out: Array | None = None,
) -> Array:
    """Gradient of `conv_transpose2d_forward` with respect to x.

    dy : (N, K, P, Q) or (K, P, Q); weight : (C, K / groups, R, S); input_size : shape of x; out : of that shape, or
    None. The other arguments are those of the forward. Returns dx of shape input_size. Raises as the forward.
    """
    op = "conv_transpose2d_backward_data"
    executor = _arrays.require_floats(op, dy=dy, weight=weight)
    unbatched = _arrays.require_ndim(op, "dy", dy, LAYOUTS[2], unbatched=True)
    _arrays.require_ndim(op, "weight", weight, _WEIGHT)
    size = _convolution.size(op, "input_size", input_size, LAYOUTS[2], unbatched=unbatched)
    shape = _convolution.with_batch(op, "input_size", size, unbatched, 2)
    geometry, expected = _sizes(op, shape, weight.shape, stride, padding, output_padding, dilation, groups)
    gradient = batched(dy, unbatched)
    _arrays.require_shape(op, "dy", gradient, expected, f"that of y for x {shape} and weight {weight.shape}")
    dx = images_result(op, shape, out, unbatched, {"dy": dy, "weight": weight})
    executor.conv_transpose2d_backward_data(
        dense_images(gradient), dense_images(weight), dx.array, **geometry.executor_arguments()
    )
    return finish_images(dx, out, unbatched)


def conv_transpose2d_backward_weight(
    dy: Array,
    x: Array,
    weight_size: Sequence[int],
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    out: Array | None = None,
) -> Array:
    """Gradient of `conv_transpose2d_forward` with respect to weight.

    dy : (N, K, P, Q) or (K, P, Q); x : (N, C, H, W) or (C, H, W); weight_size : (C, K / groups, R, S); out : of that
    shape, or None for a new array, stored channels-last. Returns dweight. Raises as the forward.
    """
    op = "conv_transpose2d_backward_weight"
    executor = _arrays.require_floats(op, dy=dy, x=x)
    unbatched = _arrays.require_ndim(op, "dy", dy, LAYOUTS[2], unbatched=True)
    if _arrays.require_ndim(op, "x", x, LAYOUTS[2], unbatched=True) != unbatched:
        raise ValueError(
            f"{op}: dy and x must both have a batch axis or neither, got {dy.shape} and {x.shape}"
        )
    size = _convolution.size(op, "weight_size", weight_size, _WEIGHT)
    gradient, images = batched(dy, unbatched), batched(x, unbatched)
    geometry, expected = _sizes(op, images.shape, size, stride, padding, output_padding, dilation, groups)
    _arrays.require_shape(op, "dy", gradient, expected, f"that of y for x {images.shape} and weight {size}")
    dweight = Result(op, size, out, {"dy": dy, "x": x}, channels_last=True)
    executor.conv_transpose2d_backward_weight(
        dense_images(gradient), dense_images(images), dweight.array, **geometry.executor_arguments()
    )
    return dweight.finish()


def conv_transpose2d_backward_bias(dy: Array, *, out: Array | None = None) -> Array:
    """Gradient of `conv_transpose2d_forward` with respect to bias: the sum of dy over images and pixels.

    dy : (N, K, P, Q) or (K, P, Q); out : (K,) or None. Returns dbias : (K,).
    """
    op = "conv_transpose2d_backward_bias"
    executor = _arrays.require_floats(op, dy=dy)
    gradient = batched(dy, _arrays.require_ndim(op, "dy", dy, LAYOUTS[2], unbatched=True))
    dbias = Result(op, gradient.shape[1:2], out, {"dy": dy})
    executor.conv_transpose2d_backward_bias(dense_images(gradient), dbias.array)
    return dbias.finish()


def _sizes(
    op: str,
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> tuple[Geometry, tuple[int, ...]]:
    """The checked numbers, and the shape of y."""
    _convolution.check_extents(op, "weight", weight_shape)
    field = weight_shape[2:]
    if isinstance(padding, str):
        raise TypeError(f"{op}: padding must be an int or 2 ints, got {padding!r}")
    geometry = _convolution.geometry(op, field, stride, padding, dilation, groups)
    extra = _arrays.integers(op, "output_padding", output_padding, 2, minimum=0)
    if x_shape[1] != weight_shape[0]:
        raise ValueError(
            f"{op}: weight has {weight_shape[0]} input channels, x has {x_shape[1]} "
            f"(x: {x_shape}, weight: {weight_shape})"
        )
    if x_shape[1] % geometry.groups:
        raise ValueError(f"{op}: groups must divide the {x_shape[1]} channels of x, got {geometry.groups}")
    extents = []
    for i in range(2):
        s, d = geometry.stride[i], geometry.dilation[i]
        if extra[i] >= max(s, d):
            raise ValueError(
                f"{op}: output_padding must be less than stride or dilation, got {extra} with stride "
                f"{geometry.stride} and dilation {geometry.dilation}"
            )
        extents.append(
            (x_shape[2 + i] - 1) * s - 2 * geometry.padding[i][0] + d * (field[i] - 1) + extra[i] + 1
        )
    if min(extents) < 1 or min(x_shape[2:]) < 1:
        raise ValueError(
            f"{op}: the result would have {tuple(extents)} pixels (x: {x_shape}, weight: {weight_shape})"
        )
    return geometry, (x_shape[0], weight_shape[1] * geometry.groups, *extents)

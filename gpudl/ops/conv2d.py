"""2-D convolution: contracts. `_forward` and its companions also serve conv1d, which differs in rank only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpudl._backend import Array
from gpudl.ops import _arrays, _convolution
from gpudl.ops._arrays import Result
from gpudl.ops._convolution import (
    LAYOUTS,
    WEIGHT_LAYOUTS,
    as_images,
    batched,
    dense_images,
    finish_images,
    images_result,
)


def conv2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Cross-correlate a batch of images with a bank of filters.

    y[n, k, p, q] = bias[k] + sum over c, r, s of
                    x[n, c, p * sh + r * dh - ph, q * sw + s * dw - pw] * weight[k, c, r, s]
    where x is zero outside its bounds. With groups, filter k sees the channels of its own group only.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W) float16, bfloat16, float32 or float64, NumPy or CuPy.
    weight : (K, C / groups, R, S), dtype and device of x.
    bias : (K,) or None, dtype and device of x.
    stride, dilation : int or (int, int), at least 1, in pixels.
    padding : int or (int, int), at least 0, in pixels on both sides; "valid" for none; "same" for P = H, Q = W
        (stride 1 only; where the sum is odd, the bottom and the right get one more).
    groups : int that divides C and K; C for a depthwise convolution.
    out : (N, K, P, Q) or (K, P, Q) to write to, or None for a new array, stored channels-last.

    Returns
    -------
    y : (N, K, P, Q) or (K, P, Q), dtype of x. P = (H + 2 * ph - dh * (R - 1) - 1) // sh + 1; Q likewise.

    Raises
    ------
    ValueError : ranks, channels or sizes disagree, P or Q would be below 1, or out overlaps an input.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    Accumulates in float32 (float64 for float64). Same inputs, same device: same bits. On NumPy a NaN or an infinity
    in x may also reach outputs beside its windows, where an algorithm multiplies it by 0.
    Follows torch.nn.functional.conv2d.
    """
    return forward("conv2d_forward", 2, x, weight, bias, (stride, padding, dilation, groups), out)


def conv2d_backward_data(
    dy: Array,
    weight: Array,
    input_size: Sequence[int],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Gradient of `conv2d_forward` with respect to x.

    dy : (N, K, P, Q) or (K, P, Q); weight : (K, C / groups, R, S), dtype and device of dy;
    input_size : shape of x, since several heights may give one P; out : of that shape, or None.
    The other arguments are those of the forward. Returns dx of shape input_size.
    Raises as `conv2d_forward` does. Follows torch.nn.grad.conv2d_input.
    """
    return backward_data(
        "conv2d_backward_data", 2, dy, weight, input_size, (stride, padding, dilation, groups), out
    )


def conv2d_backward_weight(
    dy: Array,
    x: Array,
    weight_size: Sequence[int],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Gradient of `conv2d_forward` with respect to weight.

    dy : (N, K, P, Q) or (K, P, Q); x : (N, C, H, W) or (C, H, W), dtype and device of dy;
    weight_size : (K, C / groups, R, S); out : of that shape, or None for a new array, stored channels-last.
    The other arguments are those of the forward. Returns dweight of shape weight_size.
    Raises as `conv2d_forward` does. Follows torch.nn.grad.conv2d_weight.
    """
    return backward_weight(
        "conv2d_backward_weight", 2, dy, x, weight_size, (stride, padding, dilation, groups), out
    )


def conv2d_backward_bias(dy: Array, *, out: Array | None = None) -> Array:
    """Gradient of `conv2d_forward` with respect to bias: the sum of dy over images and pixels.

    dy : (N, K, P, Q) or (K, P, Q); out : (K,) or None. Returns dbias : (K,).
    """
    return backward_bias("conv2d_backward_bias", 2, dy, out)


# ---- either rank


def forward(
    op: str, axes: int, x: Array, weight: Array, bias: Array | None, numbers: tuple, out: Array | None
) -> Array:
    """conv1d_forward (axes=1) and conv2d_forward (axes=2); numbers = (stride, padding, dilation, groups)."""
    executor = _arrays.require_floats(op, x=x, weight=weight, bias=bias)
    unbatched = _arrays.require_ndim(op, "x", x, LAYOUTS[axes], unbatched=True)
    _arrays.require_ndim(op, "weight", weight, WEIGHT_LAYOUTS[axes])
    _convolution.check_extents(op, "weight", weight)
    geometry = _convolution.geometry(op, weight.shape[2:], *numbers)
    images = batched(x, unbatched)
    _convolution.check_channels(op, "x", images.shape[1], weight.shape, geometry.groups)
    K = weight.shape[0]
    if bias is not None:
        _arrays.require_shape(op, "bias", bias, (K,), f"(K,) of weight {weight.shape}")
        bias = _arrays.contiguous(bias)
    extents = geometry.output(op, images.shape[2:], weight.shape[2:])
    y = images_result(
        op, (len(images), K, *extents), out, unbatched, {"x": x, "weight": weight, "bias": bias}
    )
    executor.conv2d_forward(
        dense_images(images), dense_images(weight), bias, as_images(y.array), **geometry.executor_arguments()
    )
    return finish_images(y, out, unbatched)


def backward_data(
    op: str, axes: int, dy: Array, weight: Array, input_size: Any, numbers: tuple, out: Array | None
) -> Array:
    """conv1d_backward_data and conv2d_backward_data."""
    executor = _arrays.require_floats(op, dy=dy, weight=weight)
    unbatched = _arrays.require_ndim(op, "dy", dy, LAYOUTS[axes], unbatched=True)
    _arrays.require_ndim(op, "weight", weight, WEIGHT_LAYOUTS[axes])
    _convolution.check_extents(op, "weight", weight)
    shape = _convolution.size(op, "input_size", input_size, LAYOUTS[axes], unbatched=unbatched)
    shape = _convolution.with_batch(op, "input_size", shape, unbatched, axes)
    geometry = _convolution.geometry(op, weight.shape[2:], *numbers)
    gradient = batched(dy, unbatched)
    _check_gradient(op, gradient, shape, weight.shape, geometry)
    dx = images_result(op, shape, out, unbatched, {"dy": dy, "weight": weight})
    executor.conv2d_backward_data(
        dense_images(gradient), dense_images(weight), as_images(dx.array), **geometry.executor_arguments()
    )
    return finish_images(dx, out, unbatched)


def backward_weight(
    op: str, axes: int, dy: Array, x: Array, weight_size: Any, numbers: tuple, out: Array | None
) -> Array:
    """conv1d_backward_weight and conv2d_backward_weight."""
    executor = _arrays.require_floats(op, dy=dy, x=x)
    unbatched = _arrays.require_ndim(op, "dy", dy, LAYOUTS[axes], unbatched=True)
    if _arrays.require_ndim(op, "x", x, LAYOUTS[axes], unbatched=True) != unbatched:
        raise ValueError(
            f"{op}: dy and x must both have a batch axis or neither, got {dy.shape} and {x.shape}"
        )
    shape = _convolution.size(op, "weight_size", weight_size, WEIGHT_LAYOUTS[axes])
    _convolution.check_extents(op, "weight_size", shape)
    geometry = _convolution.geometry(op, shape[2:], *numbers)
    gradient, images = batched(dy, unbatched), batched(x, unbatched)
    _check_gradient(op, gradient, images.shape, shape, geometry)
    dweight = Result(op, shape, out, {"dy": dy, "x": x}, channels_last=True)
    executor.conv2d_backward_weight(
        dense_images(gradient),
        dense_images(images),
        as_images(dweight.array),
        **geometry.executor_arguments(),
    )
    return dweight.finish()


def backward_bias(op: str, axes: int, dy: Array, out: Array | None) -> Array:
    """conv1d_backward_bias and conv2d_backward_bias."""
    executor = _arrays.require_floats(op, dy=dy)
    gradient = batched(dy, _arrays.require_ndim(op, "dy", dy, LAYOUTS[axes], unbatched=True))
    dbias = Result(op, gradient.shape[1:2], out, {"dy": dy})
    if _sums_of_images_pay(gradient):
        # Each pixel of each filter is a column of the memory as it is: to sum the images takes no copy, to which
        # (32, 64, 512) float32 lost nine tenths of its time. What is left has the size of one image.
        pixels = _arrays.empty((1, *gradient.shape[1:]), gradient.dtype, like=gradient)
        executor.conv2d_backward_bias(gradient.reshape(len(gradient), -1, 1, 1), pixels.reshape(-1))
        gradient = pixels
    executor.conv2d_backward_bias(dense_images(gradient), dbias.array)
    return dbias.finish()


# Elements of an image up to which its pixels are columns. Executors keep partial sums of every column, which for more
# would take as much memory as the copy.
_MOST_COLUMNS = 1 << 16


def _sums_of_images_pay(gradient: Array) -> bool:
    """Whether the memory is (N, K, ...) of many images; not in half precision, which would round the sums of pixels."""
    N, K = gradient.shape[:2]
    return (
        gradient.flags.c_contiguous
        and _arrays.dense(gradient) is gradient
        and gradient.dtype.itemsize >= 4
        and N > 1
        and K < gradient.size // N <= _MOST_COLUMNS
        and K > 1
    )


def _check_gradient(
    op: str, dy: Array, x_shape: tuple, weight_shape: tuple, geometry: _convolution.Geometry
) -> None:
    _convolution.check_channels(op, "x", x_shape[1], weight_shape, geometry.groups)
    extents = geometry.output(op, x_shape[2:], weight_shape[2:])
    expected = (x_shape[0], weight_shape[0], *extents)
    _arrays.require_shape(op, "dy", dy, expected, f"that of y for x {x_shape} and weight {weight_shape}")

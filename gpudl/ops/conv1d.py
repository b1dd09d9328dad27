"""1-D convolution: `conv2d` over images of one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpudl._backend import Array
from gpudl.ops import conv2d


def conv1d_forward(
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
    """Cross-correlate a batch of sequences with a bank of filters.

    y[n, k, q] = bias[k] + sum over c, s of x[n, c, q * stride + s * dilation - padding] * weight[k, c, s]
    where x is zero outside its bounds. With groups, filter k sees the channels of its own group only.

    x : (N, C, L) or (C, L); weight : (K, C / groups, S); bias : (K,) or None; out : (N, K, Q) or (K, Q), or None.
    stride, padding, dilation, groups : as in `conv2d_forward`, for one axis.
    Returns y : (N, K, Q) or (K, Q), Q = (L + 2 * padding - dilation * (S - 1) - 1) // stride + 1.
    Raises, computes and rounds as `conv2d_forward` does. Follows torch.nn.functional.conv1d.
    """
    return conv2d.forward("conv1d_forward", 1, x, weight, bias, (stride, padding, dilation, groups), out)


def conv1d_backward_data(
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
    """Gradient of `conv1d_forward` with respect to x.

    dy : (N, K, Q) or (K, Q); weight : (K, C / groups, S); input_size : shape of x; out : of that shape, or None.
    Returns dx of shape input_size. Raises as `conv1d_forward` does. Follows torch.nn.grad.conv1d_input.
    """
    return conv2d.backward_data(
        "conv1d_backward_data", 1, dy, weight, input_size, (stride, padding, dilation, groups), out
    )


def conv1d_backward_weight(
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
    """Gradient of `conv1d_forward` with respect to weight.

    dy : (N, K, Q) or (K, Q); x : (N, C, L) or (C, L); weight_size : (K, C / groups, S); out : of that shape, or None.
    Returns dweight of shape weight_size. Raises as `conv1d_forward` does. Follows torch.nn.grad.conv1d_weight.
    """
    return conv2d.backward_weight(
        "conv1d_backward_weight", 1, dy, x, weight_size, (stride, padding, dilation, groups), out
    )


def conv1d_backward_bias(dy: Array, *, out: Array | None = None) -> Array:
    """Gradient of `conv1d_forward` with respect to bias: the sum of dy over sequences and positions.

    dy : (N, K, Q) or (K, Q); out : (K,) or None. Returns dbias : (K,).
    """
    return conv2d.backward_bias("conv1d_backward_bias", 1, dy, out)

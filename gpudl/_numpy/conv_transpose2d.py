"""Transposed convolution: each direction is another direction of `conv2d` with the same weight."""

from __future__ import annotations

import numpy as np

from gpudl._numpy import conv2d
from gpudl._numpy._conv2d_tiles import Pair
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def conv_transpose2d_forward(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> None:
    """y = the gradient of a convolution's input whose output has the gradient x, plus bias."""
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv2d.conv2d_backward_data(x, weight, y, **geometry)
    if bias is not None:
        np.add(y, bias[:, None, None], out=y)


def conv_transpose2d_backward_data(
    dy: np.ndarray,
    weight: np.ndarray,
    dx: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> None:
    """dx = dy convolved with weight."""
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv2d.conv2d_forward(dy, weight, None, dx, **geometry)


def conv_transpose2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    dweight: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> None:
    """dweight = the gradient of a convolution's weight with input dy and output gradient x."""
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    conv2d.conv2d_backward_weight(x, dy, dweight, **geometry)


def conv_transpose2d_backward_bias(dy: np.ndarray, dbias: np.ndarray) -> None:
    """dbias = the sum of dy over images and pixels."""
    conv2d.conv2d_backward_bias(dy, dbias)

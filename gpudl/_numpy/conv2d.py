"""2-D convolution: which algorithm runs, by shape alone.

x (N, C, H, W), weight (K, C / groups, R, S) and y (N, K, P, Q) are stored with the channels last. `padding` is
(top, left); beyond the other edges x is zero as far as y reaches.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import (
    _conv2d_bands,
    _conv2d_depthwise,
    _conv2d_groups,
    _conv2d_im2col,
    _conv2d_planar,
    _conv2d_pointwise,
    _conv2d_scatter,
    _conv2d_winograd,
    _conv2d_winograd_rows,
)
from gpudl._numpy._channels import Channels, column_sums
from gpudl._numpy._conv2d_phases import Phase, phases
from gpudl._numpy._conv2d_tiles import Pair
from gpudl._numpy._elementwise import clear
from gpudl._numpy._precision import computed_in_float32

# Bounds of the algorithms. They decide speed only: each algorithm is right for every shape it accepts.
_PLANAR_CHANNELS = 12  # from here on, runs of channels stored last are long enough
_BOTH_AXES_CHANNELS = 224  # of either side; with 192 and images of 28x28 rows take 0.8 of its time
_WINOGRAD_FIELDS = (3, 4, 5)  # rows of a window of several columns; with 2 im2col is faster
_WINOGRAD_EXTENT = 6  # rows and columns of output; fewer waste too much of the last piece
# For the transforms of rows to pay, as pixels of output and of those per channel: with (16, 64, 7, 7) they do not; with
# (2, 16, 32, 32) rows take half of im2col's time, with fewer channels down to half of that of planes and bands.
_ROWS_CHANNELS, _ROWS_FILTERS = 4, 3
_ROWS_PIXELS, _ROWS_PIXELS_OF_FEW_CHANNELS, _ROWS_PIXELS_PER_CHANNEL = 2048, 8192, 8
# On both axes filters are transformed faster, which pays with (4, 384, 13, 13); that of a weight's gradient later.
_BOTH_AXES_PIXELS, _BOTH_AXES_PIXELS_OF_WEIGHTS = 576, 768
_WINOGRAD = {"winograd": _conv2d_winograd, "winograd rows": _conv2d_winograd_rows}


def algorithm(
    images: int,
    channels: int,
    filters: int,
    field: Pair,
    output: Pair,
    stride: Pair,
    dilation: Pair,
    *,
    weight_gradient: bool = False,
) -> str:
    """The fastest form of a dense convolution: "bands", "planar", "winograd", "winograd rows" or "im2col"."""
    pixels = images * output[0] * output[1]
    winograd = (stride, dilation) == ((1, 1), (1, 1)) and min(output) >= _WINOGRAD_EXTENT
    rows = winograd and _rows_pay(channels, filters, field, pixels)
    if channels < _PLANAR_CHANNELS:
        if rows:
            return "winograd rows"
        if dilation == (1, 1) and _conv2d_bands.pays(output[1], field, filters):
            return "bands"
        # Planes are copied in runs of a row of outputs, channels stored last in runs of a row of the window: the longer
        # runs are the faster. For the weight gradient planes always are, (128, 6, 14, 14) -> 16 by a fifth.
        return "planar" if weight_gradient or output[1] > field[1] * channels else "im2col"
    many_channels = min(channels, filters) >= _BOTH_AXES_CHANNELS
    if winograd and many_channels and field == (3, 3):
        enough = _BOTH_AXES_PIXELS_OF_WEIGHTS if weight_gradient else _BOTH_AXES_PIXELS
        return "winograd" if pixels >= enough else "im2col"
    # The sums of a weight gradient, 6 * S of a row of filters, leave the cache where there are many channels.
    return "winograd rows" if rows and not (many_channels and weight_gradient) else "im2col"


def _rows_pay(channels: int, filters: int, field: Pair, pixels: int) -> bool:
    fewest = _ROWS_PIXELS if channels >= _PLANAR_CHANNELS else _ROWS_PIXELS_OF_FEW_CHANNELS
    return (
        field[0] in _WINOGRAD_FIELDS
        and field[1] > 1
        and channels >= _ROWS_CHANNELS
        and filters >= _ROWS_FILTERS
        and pixels >= max(fewest, _ROWS_PIXELS_PER_CHANNEL * max(channels, filters))
    )


@computed_in_float32("y")
def conv2d_forward(
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
    """y = x correlated with weight, plus bias."""
    if y.size == 0:
        return
    x, weight, y = _channels_last(x), _channels_last(weight), _channels_last(y)
    K, _, _, C = weight.shape
    if groups > 1 and C == 1 and groups == K:
        geometry = {"stride": stride, "padding": padding, "dilation": dilation}
        _conv2d_depthwise.correlate(x, weight.transpose(1, 2, 3, 0)[:, :, 0], bias, y, **geometry)
        return
    weight, groups = _conv2d_groups.join(weight, groups, x)
    filters, C = weight.transpose(1, 2, 3, 0), weight.shape[3]
    for group in range(groups):
        ins, outs = _group(group, C), _group(group, K // groups)
        part = None if bias is None else bias[outs]
        _correlate(x[..., ins], filters[..., outs], part, y[..., outs], stride, padding, dilation)


@computed_in_float32("dx")
def conv2d_backward_data(
    dy: np.ndarray,
    weight: np.ndarray,
    dx: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> None:
    """dx = the gradient of the input."""
    if dx.size == 0:
        return
    dy, weight, dx = _channels_last(dy), _channels_last(weight), _channels_last(dx)
    depthwise = groups > 1 and weight.shape[3] == 1 and groups == weight.shape[0]
    if not depthwise:
        weight, groups = _conv2d_groups.join(weight, groups, dy)
    K, R, S, C = weight.shape
    scatter = _conv2d_scatter.pays(dy.shape[1:3], K // groups, weight, stride)
    if (
        not depthwise
        and min(dy.shape) > 0
        and (scatter or _few_channels(dy, weight, dx, K // groups, stride, dilation))
    ):
        form = _conv2d_scatter.backward_data if scatter else _backward_few_channels
        for group in range(groups):
            ins, outs = _group(group, C), _group(group, K // groups)
            form(dy[..., outs], weight[outs], dx[..., ins], stride=stride, padding=padding, dilation=dilation)
        return
    vertical_phases = phases(dx.shape[1], R, stride[0], padding[0], dilation[0])
    horizontal_phases = phases(dx.shape[2], S, stride[1], padding[1], dilation[1])
    if any(phase.taps == 0 for phase in vertical_phases + horizontal_phases):
        _clear(dx)
    for vertical in vertical_phases:
        for horizontal in horizontal_phases:
            if vertical.taps and horizontal.taps:
                part = dx[:, vertical.start :: stride[0], horizontal.start :: stride[1]]
                _backward_phase(dy, weight, part, vertical, horizontal, groups, depthwise)


def _few_channels(
    dy: np.ndarray, weight: np.ndarray, dx: np.ndarray, filters: int, stride: Pair, dilation: Pair
) -> bool:
    """Whether `_backward_few_channels` is the form; Winograd's rows take 0.3 to 0.7 of the time of planes."""
    _, R, S, C = weight.shape
    if C >= _PLANAR_CHANNELS:
        return False
    if _conv2d_bands.whole_rows_pay(S, filters, dx.shape[2]):
        return True
    return algorithm(len(dy), filters, C, (R, S), dx.shape[1:3], stride, dilation) != "winograd rows"


def _backward_few_channels(
    dy: np.ndarray, weight: np.ndarray, dx: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    K, _, S, _ = weight.shape
    if dilation == (1, 1) and _conv2d_bands.whole_rows_pay(S, K, dx.shape[2]):
        _conv2d_bands.backward_data(dy, weight, dx, stride=stride, padding=padding)
    else:
        _conv2d_planar.backward_data(dy, weight, dx, stride=stride, padding=padding, dilation=dilation)


def _clear(dx: np.ndarray) -> None:
    """dx = 0, all of it: to leave out the pixels that get a gradient would take longer."""

    def block(n: int) -> None:
        clear(dx[n])

    _parallel.run(block, len(dx))


def _backward_phase(
    dy: np.ndarray,
    weight: np.ndarray,
    part: np.ndarray,
    vertical: Phase,
    horizontal: Phase,
    groups: int,
    depthwise: bool,
) -> None:
    """Write the rows and columns of dx that belong to one phase of either axis."""
    padding = (vertical.padding, horizontal.padding)
    dilation = (vertical.dilation, horizontal.dilation)
    taps = weight[:, vertical.first :: vertical.step, horizontal.first :: horizontal.step][:, ::-1, ::-1]
    if depthwise:
        filters = taps[..., 0].transpose(1, 2, 0)
        _conv2d_depthwise.correlate(
            dy, filters, None, part, stride=(1, 1), padding=padding, dilation=dilation
        )
        return
    K, C = weight.shape[0] // groups, weight.shape[3]
    for group in range(groups):
        ins, outs = _group(group, K), _group(group, C)
        filters = taps[ins].transpose(1, 2, 0, 3)
        _correlate(dy[..., ins], filters, None, part[..., outs], (1, 1), padding, dilation)


@computed_in_float32("dweight")
def conv2d_backward_weight(
    dy: np.ndarray,
    x: np.ndarray,
    dweight: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> None:
    """dweight = the gradient of the weight."""
    dy, x, dweight = _channels_last(dy), _channels_last(x), _channels_last(dweight)
    if dy.size == 0:
        dweight[...] = 0
        return
    _parallel.quietly(_backward_weights, dy, x, dweight, groups, stride, padding, dilation)


# Elements that one thread reads in 100 us, which is not much longer than a second one takes to help.
_SUMMED_ALONE = 1 << 20


@computed_in_float32("dbias")
def conv2d_backward_bias(dy: np.ndarray, dbias: np.ndarray) -> None:
    """dbias = the sum of dy over images and pixels."""
    pixels = _channels_last(dy).reshape(-1, dy.shape[1])
    if pixels.size == 0:
        dbias[...] = 0
        return
    channels = Channels(*pixels.shape, alone=_SUMMED_ALONE)
    totals = np.zeros((len(channels.blocks), channels.channels))

    def block(i: int) -> None:
        for (part,) in channels.wide(i, pixels):
            totals[i] += channels.fold(column_sums(part))

    channels.run(block, blas=True)
    _parallel.quietly(lambda: np.copyto(dbias, totals.sum(axis=0), casting="same_kind"))


def _correlate(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """y (N, P, Q, K) = x (N, H, W, C) correlated with filters (R, S, C, K), plus bias."""
    R, S, C, K = filters.shape
    if _conv2d_pointwise.applies((R, S), stride, padding, x, y):
        _conv2d_pointwise.correlate(x, filters, bias, y)
        return
    chosen = algorithm(len(y), C, K, (R, S), y.shape[1:3], stride, dilation)
    if chosen in _WINOGRAD:
        _WINOGRAD[chosen].correlate(x, filters, bias, y, padding=padding)
        return
    if chosen == "bands":
        _conv2d_bands.correlate(x, filters, bias, y, stride=stride, padding=padding)
        return
    form = _conv2d_planar if chosen == "planar" else _conv2d_im2col
    form.correlate(x, filters, bias, y, stride=stride, padding=padding, dilation=dilation)


def _backward_weights(
    dy: np.ndarray,
    x: np.ndarray,
    dweight: np.ndarray,
    groups: int,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """dweight of all groups, of several of few channels as one."""
    K, _, _, C = dweight.shape
    if groups > 1 and C == 1 and groups == K:
        geometry = {"stride": stride, "padding": padding, "dilation": dilation}
        sums = np.empty((*dweight.shape[1:3], K), dweight.dtype)
        _conv2d_depthwise.backward_weight(dy, x, sums, **geometry)
        dweight[..., 0] = sums.transpose(2, 0, 1)
        return
    count = _conv2d_groups.together(C, K // groups, groups)
    if count > 1:
        wide = np.empty((*dweight.shape[:3], C * count), dweight.dtype)
        _backward_weights(dy, x, wide, groups // count, stride, padding, dilation)
        _conv2d_groups.separate(wide, groups, count, dweight)
        return
    for group in range(groups):
        ins, outs = _group(group, C), _group(group, K // groups)
        _backward_weight(dy[..., outs], x[..., ins], dweight[outs], stride, padding, dilation)


def _backward_weight(
    dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    K, R, S, C = dweight.shape
    if _conv2d_pointwise.applies((R, S), stride, padding, dy, x):
        _conv2d_pointwise.backward_weight(dy, x, dweight)
        return
    chosen = algorithm(len(dy), C, K, (R, S), dy.shape[1:3], stride, dilation, weight_gradient=True)
    if chosen in _WINOGRAD:
        _WINOGRAD[chosen].backward_weight(dy, x, dweight, padding=padding)
        return
    if chosen == "bands":
        _conv2d_bands.backward_weight(dy, x, dweight, stride=stride, padding=padding)
        return
    form = _conv2d_planar if chosen == "planar" else _conv2d_im2col
    form.backward_weight(dy, x, dweight, stride=stride, padding=padding, dilation=dilation)


def _channels_last(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 2, 3, 1)


def _group(index: int, size: int) -> slice:
    return slice(index * size, (index + 1) * size)

"""Max pooling on channels-last memory, one strided view of the input for each element of the window."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy._windows import Pair


@computed_in_float32("y")
def max_pool2d_forward(
    x: np.ndarray,
    y: np.ndarray,
    offsets: np.ndarray | None,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """x : (N, H, W, C). y, offsets : (N, P, Q, C). The maximum first, then who is equal to it."""
    numbers = (kernel_size, stride, padding, dilation)
    pieces = _windows.blocks(y.shape)

    def block(i: int) -> None:
        samples, rows = pieces[i]
        views = list(_windows.offsets(x[samples], y.shape, rows, *numbers))
        out = y[samples]
        _maximum(out, rows, views)
        if offsets is not None:
            _first_equal(out, offsets[samples], rows, views, kernel_size)

    _parallel.run(block, len(pieces))


def _maximum(out: np.ndarray, rows: Pair, views: list) -> None:
    out[:, rows[0] : rows[1]] = -np.inf
    for _, part, place in views:
        target = out[:, place[0], place[1]]
        np.maximum(target, part, out=target)


def _first_equal(out: np.ndarray, offsets: np.ndarray, rows: Pair, views: list, kernel_size: Pair) -> None:
    """The smallest offset whose element equals the maximum; the last NaN where that is NaN, as in PyTorch."""
    last = kernel_size[0] * kernel_size[1] - 1
    found = offsets[:, rows[0] : rows[1]]
    found[...] = 0
    shape = found.shape
    equal = _parallel.scratch("max_pool2d_equal", shape, np.bool_)
    code = _parallel.scratch("max_pool2d_code", shape, offsets.dtype)
    for offset, part, place in views:
        here = (slice(None), slice(place[0].start - rows[0], place[0].stop - rows[0]), place[1])
        np.equal(part, out[:, place[0], place[1]], out=equal[here])
        np.multiply(equal[here].view(np.uint8), offsets.dtype.type(last - offset), out=code[here])
        np.maximum(found[here], code[here], out=found[here])
    np.subtract(offsets.dtype.type(last), found, out=found)
    missing = np.isnan(out[:, rows[0] : rows[1]])
    if missing.any():
        for offset, part, place in views:
            here = (slice(None), slice(place[0].start - rows[0], place[0].stop - rows[0]), place[1])
            np.copyto(found[here], offset, where=np.isnan(part) & missing[here])


@computed_in_float32("dx")
def max_pool2d_backward(
    dy: np.ndarray,
    offsets: np.ndarray,
    dx: np.ndarray,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """dy, offsets : (N, P, Q, C). dx : (N, H, W, C)."""
    numbers = (kernel_size, stride, padding, dilation)
    alone = _windows.disjoint(kernel_size, stride, dilation)
    pieces = _windows.samples(dx.shape)
    rows = dy.shape[1]
    step = max(1, (1 << 15) // max(1, dy.shape[2] * dy.shape[3]))

    def block(i: int) -> None:
        samples = pieces[i]
        dx[samples] = 0
        for cut in _parallel.ranges(rows, step):
            for offset, part, place in _windows.offsets(dx[samples], dy.shape, cut, *numbers):
                gradient = dy[samples, place[0], place[1]]
                chosen = _parallel.scratch("max_pool2d_chosen", gradient.shape, np.bool_)
                np.equal(offsets[samples, place[0], place[1]], offset, out=chosen)
                if alone:
                    np.copyto(part, gradient, where=chosen)
                else:
                    np.add(part, gradient, out=part, where=chosen)

    _parallel.run(block, len(pieces))


def max_pool2d_indices(
    offsets: np.ndarray,
    indices: np.ndarray,
    *,
    height: int,
    width: int,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """indices = h * W + w, of the nearest element where a whole window lies in the padding. Both (N, P, Q, C)."""
    r, s = np.divmod(offsets.astype(np.int64), kernel_size[1])
    p = np.arange(offsets.shape[1])[:, None, None] * stride[0] - padding[0]
    q = np.arange(offsets.shape[2])[:, None] * stride[1] - padding[1]
    h = np.clip(p + r * dilation[0], 0, height - 1)
    w = np.clip(q + s * dilation[1], 0, width - 1)
    indices[...] = h * width + w

"""Walks over pooling windows: which output rows and columns see an input element through window offset (r, s)."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from gpudl import _parallel

# Elements of the output that one block makes. With 65536 max pooling took 1.2 to 1.4 times as long: calls on two
# threads have to be long, as each waits for the interpreter lock between them.
_BLOCK = 1 << 18
# Elements of the output that one thread does in less time than two that pass the interpreter lock to one another.
_ALONE = 1 << 16
_INPUTS_PER_OUTPUT = 4  # of the usual window, 2x2 with stride 2

Pair = tuple[int, int]
# To work the cuts of a shape out again took a quarter of the time of small calls. Not more of them, as a window of
# 64x64 has 4096.
remembered = functools.lru_cache(maxsize=128)


def span(out: int, size: int, start: int, stride: int) -> tuple[int, int]:
    """[first, last) of the outputs p with 0 <= p * stride + start < size."""
    first = max(0, -(start // stride))
    last = min(out, (size - 1 - start) // stride + 1)
    return first, max(first, last)


def offsets(
    x: np.ndarray,
    y_shape: tuple[int, ...],
    rows: tuple[int, int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
) -> Iterator[tuple[int, np.ndarray, tuple[slice, slice]]]:
    """(offset, part of x, place in y) of each window element, for the output rows [rows[0], rows[1]).

    x : (N, H, W, C). The part has the shape of y[:, place], elements outside x are left out.
    """
    for offset, part, place in _places(
        x.shape[1:3], y_shape[1:3], rows, kernel_size, stride, padding, dilation
    ):
        yield offset, x[part], place


@remembered
def _places(
    x_size: Pair, y_size: Pair, rows: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[tuple[int, tuple[slice, ...], tuple[slice, slice]], ...]:
    """(offset, place in x, place in y) of each window element."""
    found = []
    for r in range(kernel_size[0]):
        top = r * dilation[0] - padding[0]
        p0, p1 = span(y_size[0], x_size[0], top, stride[0])
        p0, p1 = max(p0, rows[0]), min(p1, rows[1])
        for s in range(kernel_size[1]):
            left = s * dilation[1] - padding[1]
            q0, q1 = span(y_size[1], x_size[1], left, stride[1])
            if p0 >= p1 or q0 >= q1:
                continue
            h0, w0 = p0 * stride[0] + top, q0 * stride[1] + left
            part = (
                slice(None),
                slice(h0, h0 + (p1 - p0 - 1) * stride[0] + 1, stride[0]),
                slice(w0, w0 + (q1 - q0 - 1) * stride[1] + 1, stride[1]),
            )
            found.append((r * kernel_size[1] + s, part, (slice(p0, p1), slice(q0, q1))))
    return tuple(found)


@remembered
def scan(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int = 1
) -> tuple[tuple[int, bool, slice, slice], ...]:
    """(offset, first, outputs, inputs) of a window along one axis: which outputs see which inputs through an offset.

    Offsets come in order. `first` is True where no earlier offset reached these outputs, so that they can be written
    without being read; outputs whose windows lie in the padding come never.
    """
    lowest = out
    found = []
    for offset in range(kernel):
        start = offset * dilation - padding
        low, high = span(out, size, start, stride)
        for first, p0, p1 in ((True, low, min(high, lowest)), (False, max(low, lowest), high)):
            if p0 < p1:
                h0 = p0 * stride + start
                inputs = slice(h0, h0 + (p1 - p0 - 1) * stride + 1, stride)
                found.append((offset, first, slice(p0, p1), inputs))
        if low < high:
            lowest = min(lowest, low)
    return tuple(found)


def rows_of(
    size: int, rows: Pair, kernel: int, stride: int, padding: int, dilation: int = 1
) -> tuple[slice, int]:
    """The input rows that the output rows [rows[0], rows[1]) see, and the padding as counted from the first."""
    start = rows[0] * stride - padding
    low = min(max(start, 0), size)
    high = min(size, (rows[1] - 1) * stride - padding + dilation * (kernel - 1) + 1)
    return slice(low, max(low, high)), low - start


@remembered
def blocks(shape: tuple[int, ...]) -> tuple[tuple[slice, tuple[int, int]], ...]:
    """(samples, output rows) cut so that a block has about _BLOCK elements; shape : (N, P, Q, C)."""
    samples, rows = shape[:2]
    row = shape[2] * shape[3]
    if row == 0 or samples == 0 or rows == 0:
        return ()
    if rows * row >= _BLOCK:
        cuts = _parallel.ranges(rows, max(1, _BLOCK // row))
        return tuple((slice(n, n + 1), cut) for n in range(samples) for cut in cuts)
    return tuple((slice(*cut), (0, rows)) for cut in _cuts(samples, rows * row))


_FEW_CHANNELS = 24  # with 32, pixels as elements are copied as fast as their channels


def copy_pixels(target: np.ndarray, source: np.ndarray) -> None:
    """target[...] = source, both (..., C) of one dtype with dense channels; few channels move as one element.

    For 6 channels, a stride of two pixels and float32 that took 0.4 of the time.
    """
    if 1 < source.shape[-1] <= _FEW_CHANNELS:
        pixel = np.dtype((np.void, source.shape[-1] * source.itemsize))
        target, source = target.view(pixel), source.view(pixel)
    target[...] = source


@remembered
def samples(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Samples of an input (N, H, W, C) cut so that a block belongs to about _BLOCK elements of the output."""
    size = shape[1] * shape[2] * shape[3]
    if size == 0 or shape[0] == 0:
        return ()
    return tuple(slice(*cut) for cut in _cuts(shape[0], size / _INPUTS_PER_OUTPUT))


def _cuts(samples: int, size: float) -> list[tuple[int, int]]:
    longest, alone = (max(1, int(elements / size)) for elements in (_BLOCK, _ALONE))
    return _parallel.equal_ranges(samples, longest, alone=alone)


@remembered
def cover_once(
    x_size: Pair, y_size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> bool:
    """True where the windows cover each element of x exactly once."""
    return (
        kernel_size == stride
        and padding == (0, 0)
        and dilation == (1, 1)
        and all(out * step == size for out, step, size in zip(y_size, stride, x_size, strict=True))
    )


@remembered
def disjoint(kernel_size: Pair, stride: Pair, dilation: Pair) -> bool:
    """True where no two windows share an element."""
    return all(
        dil * (kernel - 1) + 1 <= step
        for kernel, step, dil in zip(kernel_size, stride, dilation, strict=True)
    )

"""Average pooling on channels-last memory, along one axis and then along the other."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._elementwise import clear
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy._windows import Pair


@computed_in_float32("y")
def avg_pool2d_forward(
    x: np.ndarray,
    y: np.ndarray,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: int,
    divisor_override: int,
) -> None:
    """x : (N, H, W, C). y : (N, P, Q, C)."""
    vertical, horizontal = zip(kernel_size, stride, padding, strict=True)
    numbers = (kernel_size, stride, padding)
    divisor = _divisors(x.shape, y.shape, *numbers, count_include_pad, divisor_override).astype(x.dtype)
    pieces = _windows.blocks(y.shape)

    def block(i: int) -> None:
        samples, rows = pieces[i]
        seen, above = _windows.rows_of(x.shape[1], rows, *vertical)
        target = y[samples, rows[0] : rows[1]]
        sums = _parallel.scratch("avg_pool2d_rows", (*target.shape[:2], *x.shape[2:]), x.dtype)
        _sums(1, (vertical[0], vertical[1], above), x[samples, seen], sums)
        _sums(2, horizontal, sums, target)
        target /= divisor[rows[0] : rows[1]] if divisor.ndim else divisor

    _parallel.run(block, len(pieces), blas=False)


def _sums(axis: int, numbers: tuple[int, int, int], x: np.ndarray, y: np.ndarray) -> None:
    """y = sums of windows along one axis of x."""
    before = (slice(None),) * axis
    views = _windows.scan(x.shape[axis], y.shape[axis], *numbers)
    if sum(outputs.stop - outputs.start for _, first, outputs, _ in views if first) < y.shape[axis]:
        y[...] = 0
    for _, first, outputs, inputs in views:
        part, target = x[(*before, inputs)], y[(*before, outputs)]
        if first:
            target[...] = part
        else:
            np.add(target, part, out=target)


@computed_in_float32("dx")
def avg_pool2d_backward(
    dy: np.ndarray,
    dx: np.ndarray,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: int,
    divisor_override: int,
) -> None:
    """dy : (N, P, Q, C). dx : (N, H, W, C)."""
    vertical, horizontal = zip(kernel_size, stride, padding, strict=True)
    numbers = (kernel_size, stride, padding)
    divisor = _divisors(dx.shape, dy.shape, *numbers, count_include_pad, divisor_override).astype(dy.dtype)
    once = _windows.cover_once(dx.shape[1:3], dy.shape[1:3], *numbers, (1, 1))
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        part = dy[pieces[i]]
        share = _parallel.scratch("avg_pool2d_share", part.shape, dy.dtype)
        wide = _parallel.scratch("avg_pool2d_rows", (*part.shape[:2], *dx.shape[2:]), dy.dtype)
        np.divide(part, divisor, out=share)
        _spread(2, horizontal, share, wide, once)
        _spread(1, vertical, wide, dx[pieces[i]], once)

    _parallel.run(block, len(pieces), blas=False)


def _spread(axis: int, numbers: tuple[int, int, int], y: np.ndarray, x: np.ndarray, once: bool) -> None:
    """x = for each element the sum of y over the windows along one axis that see it; once : exactly one does."""
    before = (slice(None),) * axis
    if not once:
        clear(x)
    for _, _, outputs, inputs in _windows.scan(x.shape[axis], y.shape[axis], *numbers):
        part, target = y[(*before, outputs)], x[(*before, inputs)]
        if once:
            target[...] = part
        else:
            np.add(target, part, out=target)


@_windows.remembered
def _divisors(
    x_shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: int,
    divisor_override: int,
) -> np.ndarray:
    """One number, or (P, Q, 1) where the windows differ; not to be written to."""
    if divisor_override:
        return np.array(divisor_override)
    extents = []
    for size, out, kernel, step, pad in zip(
        x_shape[1:3], y_shape[1:3], kernel_size, stride, padding, strict=True
    ):
        start = np.arange(out) * step - pad
        stop = np.minimum(start + kernel, size + pad)
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, size)
        extents.append(stop - start)
    table = np.multiply.outer(*extents)
    return np.array(table.flat[0]) if (table == table.flat[0]).all() else table[..., None]

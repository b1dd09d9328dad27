"""Average pooling on channels-last memory, one strided view of the input for each element of the window."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
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
    numbers = (kernel_size, stride, padding)
    divisor = _divisors(x.shape, y.shape, *numbers, count_include_pad, divisor_override).astype(x.dtype)
    pieces = _windows.blocks(y.shape)

    def block(i: int) -> None:
        samples, rows = pieces[i]
        out = y[samples]
        target = out[:, rows[0] : rows[1]]
        target[...] = 0
        with np.errstate(all="ignore"):
            for _, part, place in _windows.offsets(x[samples], y.shape, rows, *numbers):
                out[:, place[0], place[1]] += part
            target /= divisor[rows[0] : rows[1]] if divisor.ndim else divisor

    _parallel.run(block, len(pieces))


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
    numbers = (kernel_size, stride, padding)
    divisor = _divisors(dx.shape, dy.shape, *numbers, count_include_pad, divisor_override).astype(dy.dtype)
    once = _windows.cover_once(dx.shape[1:3], dy.shape[1:3], *numbers, (1, 1))
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        samples = pieces[i]
        share = _parallel.scratch("avg_pool2d_share", dy[samples].shape, dy.dtype)
        with np.errstate(all="ignore"):
            np.divide(dy[samples], divisor, out=share)
            if not once:
                dx[samples] = 0
            for _, part, place in _windows.offsets(dx[samples], dy.shape, (0, dy.shape[1]), *numbers):
                if once:
                    np.copyto(part, share[:, place[0], place[1]])
                else:
                    part += share[:, place[0], place[1]]

    _parallel.run(block, len(pieces))


def _divisors(
    x_shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: int,
    divisor_override: int,
) -> np.ndarray:
    """One number, or (P, Q, 1) where the windows differ."""
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

"""Convolution of each channel with a filter of its own (groups == C == K).

A row of pixels, all channels of them, is one long run; each tap multiplies it with the filter's values repeated
along the row. Of the forms NumPy has for this, einsum over rows is the fastest: its inner loop multiplies
and adds without writing the products. With a stride, every stride-th column is copied together first, so that
the pixels that one tap meets still make a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import (
    Pair,
    Tile,
    bias_of_row,
    dense_destination,
    fill_padded,
    finish,
    padded_rows,
    strided,
    sum_partials,
    tiles,
)

# Bytes of a piece, and pieces at least. Each call of NumPy ends with a wait for the interpreter lock, so few long ones
# are the fastest: pieces of 1 MiB, eight at least, took 1.1 to 1.6 times as long on two threads.
_TILE = 1 << 22
_LEAST_TILES = 4


def correlate(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """y (N, P, Q, C) = each channel of x correlated with its filter of (R, S, C), plus bias."""
    R, S, C = filters.shape
    N, P, Q, _ = y.shape
    taps = np.ascontiguousarray(np.broadcast_to(filters[:, :, None], (R, S, Q, C))).reshape(R, S, Q * C)
    row_bias = bias_of_row(bias, Q)
    pieces = tiles(N, P, Q * C * stride[0] * stride[1] * x.itemsize, _TILE, least=_LEAST_TILES)

    def block(i: int) -> None:
        tile = pieces[i]
        target = y[tile.n0 : tile.n1, tile.p0 : tile.p1]
        result, copied = dense_destination(target)
        sums = part = result.reshape(*result.shape[:2], Q * C)
        for columns, windows in _windows(x, tile, Q, (R, S), stride, padding, dilation):
            np.einsum("gprsl,rsl->gpl", windows, taps[:, columns], out=part)
            if part is not sums:
                np.add(sums, part, out=sums)
            part = _parallel.scratch("depthwise_part", sums.shape, sums.dtype)
        finish(result, copied, row_bias, target)

    _parallel.run(block, len(pieces), blas=False)


def _windows(
    x: np.ndarray, tile: Tile, Q: int, field: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Iterator[tuple[slice, np.ndarray]]:
    """Columns s of the field, and (G, m, R, columns, QC): for each row of outputs the runs that the taps meet.

    The columns of one part meet every stride-th pixel from the same one on; with stride 1 there is one part.
    """
    phases = _column_phases(x, tile, Q, field, stride, padding, dilation)
    _, G, _, _, C = phases.shape
    _, sn, sh, sw, sc = phases.strides
    step = stride[1] // math.gcd(stride[1], dilation[1])
    for first in range(min(step, field[1])):
        start, phase = divmod(first * dilation[1], stride[1])
        columns = slice(first, None, step)
        count = len(range(first, field[1], step))
        spread = step * dilation[1] // stride[1]
        yield (
            columns,
            strided(
                phases[phase, :, :, start:],
                (G, tile.p1 - tile.p0, field[0], count, Q * C),
                (sn, stride[0] * sh, dilation[0] * sh, spread * sw, sc),
            ),
        )


def _column_phases(
    x: np.ndarray, tile: Tile, Q: int, field: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """(stride, G, height, width / stride, C): the padded input that a tile sees, its columns by their remainder."""
    if stride[1] == 1:
        rows = padded_rows(x, tile, Q, field, stride, padding, dilation)
        assert rows.strides[2] == rows.shape[3] * rows.strides[3] or rows.shape[2] == 1, rows.strides
        return rows[None]
    height = (tile.p1 - tile.p0 - 1) * stride[0] + dilation[0] * (field[0] - 1) + 1
    width = (Q - 1) * stride[1] + dilation[1] * (field[1] - 1) + 1
    images = x[tile.n0 : tile.n1]
    shape = (stride[1], len(images), height, -(-width // stride[1]), x.shape[3])
    phases = _parallel.scratch("conv2d_padded", shape, x.dtype)
    for phase in range(stride[1]):
        first = (phase - padding[1]) % stride[1]
        left = (first + padding[1] - phase) // stride[1]
        fill_padded(phases[phase], images[:, :, first :: stride[1]], padding[0] - tile.p0 * stride[0], left)
    return phases


def backward_weight(
    dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """dweight (R, S, C) = the sum over pixels of dy[c] * x[window, c]."""
    R, S, C = dweight.shape
    N, P, Q, _ = dy.shape
    pieces = tiles(N, P, Q * C * stride[0] * stride[1] * x.itemsize, _TILE, least=_LEAST_TILES)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        tile = pieces[i]
        gradient = dy[tile.n0 : tile.n1, tile.p0 : tile.p1].reshape(-1, tile.p1 - tile.p0, Q * C)
        sums = slot if first else _parallel.scratch("depthwise_sums", slot.shape, slot.dtype)
        for columns, windows in _windows(x, tile, Q, (R, S), stride, padding, dilation):
            for r in range(R):
                for s, row in enumerate(sums[r, columns]):
                    np.einsum("gpl,gpl->l", windows[:, :, r, s], gradient, out=row)
        if not first:
            np.add(slot, sums, out=slot)

    total = sum_partials(len(pieces), (R, S, Q * C), dweight.dtype, add)
    np.sum(total.reshape(R, S, Q, C), axis=2, out=dweight)

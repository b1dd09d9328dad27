"""Convolution of each channel with a filter of its own (groups == C == K).

A row of pixels, all channels of them, is one long run; each tap multiplies it with the filter's values repeated
along the row. Of the forms NumPy has for this, einsum over rows is the fastest: its inner loop multiplies
and adds without writing the products.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import Pair, padded_rows, sum_partials, tiles

_TILE = 1 << 20


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
    taps = np.ascontiguousarray(np.broadcast_to(filters[:, :, None], (R, S, Q, C)))
    pieces = tiles(N, P, Q * C * stride[0] * stride[1] * x.itemsize, _TILE)

    def block(i: int) -> None:
        tile = pieces[i]
        windows = _windows(x, tile, Q, (R, S), stride, padding, dilation)
        target = y[tile.n0 : tile.n1, tile.p0 : tile.p1]
        if stride[1] == 1 and target.flags.c_contiguous:
            np.einsum(
                "gprsl,rsl->gpl",
                _as_runs(windows),
                taps.reshape(R, S, Q * C),
                out=target.reshape(*target.shape[:2], Q * C),
            )
        else:
            np.einsum("gprsqc,rsqc->gpqc", windows, taps, out=target)
        if bias is not None:
            np.add(target, bias, out=target)

    _parallel.run(block, len(pieces))


def _windows(
    x: np.ndarray, tile: tuple, Q: int, field: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """(G, m, R, S, Q, C): for each row of outputs and each tap the pixels that meet; a view."""
    rows = padded_rows(x, tile, Q, field, stride, padding, dilation)
    G, _, _, C = rows.shape
    sn, sh, sw, sc = rows.strides
    return as_strided(
        rows,
        (G, tile.p1 - tile.p0, *field, Q, C),
        (sn, stride[0] * sh, dilation[0] * sh, dilation[1] * sw, stride[1] * sw, sc),
    )


def _as_runs(windows: np.ndarray) -> np.ndarray:
    """(G, m, R, S, QC), where the pixels of a row follow one another in memory."""
    *leading, Q, C = windows.shape
    assert windows.strides[4] == C * windows.strides[5] or Q == 1, windows.strides
    return as_strided(windows, (*leading, Q * C), (*windows.strides[:4], windows.strides[5]))


def backward_weight(
    dy: np.ndarray, x: np.ndarray, dweight: np.ndarray, *, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """dweight (R, S, C) = the sum over pixels of dy[c] * x[window, c]."""
    R, S, C = dweight.shape
    N, P, Q, _ = dy.shape
    pieces = tiles(N, P, Q * C * stride[0] * stride[1] * x.itemsize, _TILE)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        tile = pieces[i]
        windows = _windows(x, tile, Q, (R, S), stride, padding, dilation)
        gradient = dy[tile.n0 : tile.n1, tile.p0 : tile.p1]
        sums = slot if first else _parallel.scratch("depthwise_sums", slot.shape, slot.dtype)
        for r in range(R):
            for s in range(S):
                np.einsum("gpqc,gpqc->qc", windows[:, :, r, s], gradient, out=sums[r, s])
        if not first:
            np.add(slot, sums, out=slot)

    total = sum_partials(len(pieces), (R, S, Q, C), dweight.dtype, add)
    np.sum(total, axis=2, out=dweight)

"""1x1 convolution of stride 1 without padding: the input is the matrix already."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._conv2d_tiles import Pair, add_product, filter_matrix, sum_partials
from gpudl._numpy._products import matmul

_PIXELS_PER_PARTIAL = 4096


def applies(field: Pair, stride: Pair, padding: Pair, *arrays: np.ndarray) -> bool:
    """Whether the convolution is one product of dense matrices with as many rows on either side."""
    return (
        field == (1, 1)
        and stride == (1, 1)
        and padding == (0, 0)
        and len({a.shape[:3] for a in arrays}) == 1
        and all(a.flags.c_contiguous for a in arrays)
    )


def correlate(x: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, y: np.ndarray) -> None:
    """y = x @ filters + bias."""
    matrix = filter_matrix(filters)
    pixels, results = x.reshape(-1, x.shape[3]), y.reshape(-1, y.shape[3])
    matmul(pixels, matrix, out=results, bias=bias)


def backward_weight(dy: np.ndarray, x: np.ndarray, dweight: np.ndarray) -> None:
    """dweight (K, 1, 1, C) = dy.T @ x."""
    K, _, _, C = dweight.shape
    gradients, pixels = dy.reshape(-1, K), x.reshape(-1, C)
    pieces = _parallel.ranges(len(pixels), _PIXELS_PER_PARTIAL)

    def add(i: int, slot: np.ndarray, first: bool) -> None:
        rows = slice(*pieces[i])
        add_product(gradients[rows].T, pixels[rows], slot, first)

    dweight[...] = sum_partials(len(pieces), (K, C), dweight.dtype, add).reshape(dweight.shape)

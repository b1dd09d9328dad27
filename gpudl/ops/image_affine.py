"""Affine maps of images, one for each sample: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch

INTERPOLATIONS = ("nearest", "bilinear")


def image_affine(
    x: Array,
    matrices: Any,
    size: Any = None,
    *,
    interpolation: str = "nearest",
    fill: Any = 0,
    out: Array | None = None,
) -> Array:
    """Every pixel of y shows the place of x that the sample's matrix sends it to.

    With (a, b, c), (d, e, f) = matrices[n], pixel (p, q) of y shows column u = (a q + b p) + c and row
    v = (d q + e p) + f of x; whole numbers are centres of pixels, so the identity is (1, 0, 0), (0, 1, 0).
    "nearest" takes pixel (rint(v), rint(u)), halves to even. "bilinear" takes, with i = floor(v), j = floor(u),
    s = v - i and t = u - j, first r[k] = x[k, j] + t (x[k, j + 1] - x[k, j]) for rows k = i and i + 1, then
    r[i] + s (r[i + 1] - r[i]). Pixels beyond the image have the value `fill`.

    Parameters
    ----------
    x : (N, C, H, W) uint8, float16, bfloat16, float32 or float64, NumPy or CuPy.
    matrices : (N, 2, 3) or (2, 3) numbers: from places of y to places of x, so the inverse of how an image moves.
    size : int or (P, Q) of y; None for (H, W).
    interpolation : "nearest" or "bilinear". fill : a number, or (C,) numbers; whole ones in [0, 255] for uint8.
    out : array to write to, or None for a new one, stored channels-last.

    Returns y : (N, C, P, Q), dtype of x; uint8 is rounded to the nearest, halves to even.

    Raises
    ------
    ValueError : a number or shape does not fit. TypeError : a dtype is unsupported.

    Matrices are rounded to float32, and each operation above is one of float32 (values of float64 images: of
    float64). Every executor gives the same bits. Follows torchvision's affine of tensors, but for fills, which
    torchvision mixes in twice at the border of a bilinear image.
    """
    op = "image_affine"
    executor = _images.require_images(op, x)
    made, tables = affine_tables(op, x, matrices, size, interpolation=interpolation, fill=fill)
    y = _images.result(op, made, x, out)
    if y.array.size:
        placed = _images.tables(tables, x)
        executor.image_affine(_arrays.channels_last(x), *placed, y.array, interpolation=interpolation)
    return y.finish()


def affine_tables(
    op: str,
    x: Array | Batch,
    matrices: Any,
    size: Any = None,
    *,
    interpolation: str = "nearest",
    fill: Any = 0,
) -> tuple[Batch, list[np.ndarray]]:
    """What `image_affine` makes of x, and the matrices and fill that its executors take."""
    N, _, H, W = x.shape
    maps = _images.reals(op, "matrices", matrices, N, (2, 3)).astype(np.float32)
    P, Q = (H, W) if size is None else _arrays.integers(op, "size", size, 2, minimum=1)
    _arrays.one_of(op, "interpolation", interpolation, INTERPOLATIONS)
    return _images.sized(x, (P, Q)), [maps, _images.channel_values(op, "fill", fill, x)]

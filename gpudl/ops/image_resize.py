"""Images, or boxes of them, at another size: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images

INTERPOLATIONS = ("nearest", "bilinear")


def image_resize(
    x: Array,
    size: Any,
    *,
    boxes: Any = None,
    interpolation: str = "bilinear",
    antialias: bool = True,
    out: Array | None = None,
) -> Array:
    """Every sample's box of x, stretched to one size.

    Row p of P shows place m = (p + 1/2) h / P of the box's h rows. "bilinear" averages rows k with the weights
    max(0, 1 - |k + 1/2 - m| / s), divided by their sum, s being max(1, h / P) with antialias=True, else 1; so
    without antialias a smaller image skips pixels. "nearest" takes row floor(p h / P). Columns likewise; pixels
    outside the box play no part.

    Parameters
    ----------
    x : (N, C, H, W) uint8, float16, bfloat16, float32 or float64, NumPy or CuPy.
    size : int or (P, Q) of y.
    boxes : (N, 4) or (4,) ints: top, left, height, width, within the image; None for whole images.
    interpolation : "bilinear" or "nearest". antialias : acts on "bilinear".
    out : array to write to, or None for a new one, stored channels-last.

    Returns y : (N, C, P, Q), dtype of x; uint8 is rounded to the nearest, halves to even.

    Raises
    ------
    ValueError : a number or shape does not fit, or a box has no pixel or leaves the image.
    TypeError : a dtype is unsupported.

    Weights are made in float64 and rounded to float32; then rows are summed in ascending order, product by product,
    and columns of the result likewise, in float32 (float64 images: all in float64). Every executor gives the same
    bits. Follows torch.nn.functional.interpolate(align_corners=False).
    """
    op = "image_resize"
    executor = _images.require_images(op, x)
    N, _, H, W = x.shape
    P, Q = _arrays.integers(op, "size", size, 2, minimum=1)
    _arrays.one_of(op, "interpolation", interpolation, INTERPOLATIONS)
    _arrays.one_of(op, "antialias", antialias, (True, False))
    table = _boxes(op, boxes, N, H, W)
    y = _images.result(op, _images.sized(x, (P, Q)), x, out)
    if y.array.size:
        different = table[:1] if (table == table[0]).all() else table
        tables = (
            _images.table(values if len(different) == N else np.repeat(values, N, axis=0), x)
            for start, extent, length in ((0, 2, P), (1, 3, Q))
            for values in _taps(
                different[:, start], different[:, extent], length, interpolation, antialias, x.dtype
            )
        )
        executor.image_resize(_arrays.channels_last(x), *tables, y.array)
    return y.finish()


def _boxes(op: str, boxes: Any, N: int, H: int, W: int) -> np.ndarray:
    table = _images.ints(op, "boxes", [0, 0, H, W] if boxes is None else boxes, N, (4,))
    ends = table[:, :2] + table[:, 2:]
    wrong = ((table[:, :2] < 0) | (table[:, 2:] < 1) | (ends > [H, W])).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"{op}: boxes must hold at least one pixel and lie within images of {(H, W)}, "
            f"got (top, left, height, width) {tuple(table[wrong.argmax()].tolist())}"
        )
    return table


def _taps(
    start: np.ndarray, extent: np.ndarray, length: int, interpolation: str, antialias: bool, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the `length` places of an axis are made of its pixels: first (N, length), weights (N, length, T), count (N,).

    Place i of sample n is the sum over t < count[n] of weights[n, i, t] * x[first[n, i] + t].
    """
    wide = np.float64 if dtype == np.float64 else np.float32
    begin, pixels = start[:, None], extent[:, None]
    places = np.arange(length)
    if interpolation == "nearest":
        first = np.minimum(places * pixels // length, pixels - 1)
        ones = np.ones((len(start), length, 1), wide)
        return (first + begin).astype(np.int32), ones, np.ones(len(start), np.int32)
    scale = pixels / length
    reach = np.maximum(scale, 1.0) if antialias else np.ones_like(scale)
    middle = (places + 0.5) * scale
    count = np.minimum(np.ceil(2 * reach), pixels).astype(np.int64)
    first = np.clip(np.floor(middle - reach + 0.5).astype(np.int64), 0, pixels - count)
    taps = np.arange(count.max())
    distance = (first[:, :, None] + taps + 0.5 - middle[:, :, None]) / reach[:, :, None]
    weights = np.where(taps < count[:, :, None], np.maximum(0.0, 1.0 - np.abs(distance)), 0.0)
    total = np.zeros(first.shape)
    for t in taps:  # in ascending order, so that the longest window of the batch does not change the bits
        total += weights[:, :, t]
    weights /= total[:, :, None]
    return (first + begin).astype(np.int32), weights.astype(wide), count[:, 0].astype(np.int32)

"""Crops and flips of images, each sample at its own place: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def image_crop(
    x: Array,
    size: Any = None,
    *,
    top: Any = 0,
    left: Any = 0,
    flip_horizontal: Any = False,
    flip_vertical: Any = False,
    padding_mode: str = "constant",
    fill: Any = 0,
    out: Array | None = None,
) -> Array:
    """Cut a window out of every image, then mirror it.

    y[n, c, p, q] = x[n, c, top[n] + p', left[n] + q'], where p' = P - 1 - p if flip_vertical[n] else p, and q'
    likewise of flip_horizontal. What a window covers beyond the image is `fill` ("constant"), the nearest pixel
    ("edge": 1 1 | 1 2 3 | 3 3), or the image mirrored, without its border ("reflect": 3 2 | 1 2 3 | 2 1) or with
    it ("symmetric": 2 1 | 1 2 3 | 3 2), over and over. So padding and cropping are one step.

    Parameters
    ----------
    x : (N, C, H, W) uint8, float16, bfloat16, float32 or float64, NumPy or CuPy.
    size : int or (P, Q) of the window, in pixels; None for (H, W).
    top, left : int, or (N,) ints, where each window starts; negative is beyond the image.
    flip_horizontal, flip_vertical : bool, or (N,) bools.
    fill : a number, or (C,) numbers. Whole numbers in [0, 255] for uint8.
    out : array to write to, or None for a new one, stored channels-last.

    Returns y : (N, C, P, Q), dtype of x. Values are moved, so every executor gives the same bits.

    Raises
    ------
    ValueError : a number or shape does not fit, or a mode needs a pixel of an image that has none.
    TypeError : a dtype is unsupported.
    """
    op = "image_crop"
    executor = _images.require_images(op, x)
    made, tables = crop_tables(
        op, x, size, top=top, left=left, flip_horizontal=flip_horizontal, flip_vertical=flip_vertical,
        padding_mode=padding_mode, fill=fill,
    )  # fmt: skip
    y = _images.result(op, made, x, out)
    if y.array.size:
        executor.image_crop(_arrays.channels_last(x), *_images.tables(tables, x), y.array)
    return y.finish()


def crop_tables(
    op: str,
    x: Array | Batch,
    size: Any = None,
    *,
    top: Any = 0,
    left: Any = 0,
    flip_horizontal: Any = False,
    flip_vertical: Any = False,
    padding_mode: str = "constant",
    fill: Any = 0,
) -> tuple[Batch, list[np.ndarray]]:
    """What `image_crop` makes of x, and the rows, columns and fill that its executors take."""
    N, _, H, W = x.shape
    P, Q = (H, W) if size is None else _arrays.integers(op, "size", size, 2, minimum=1)
    _arrays.one_of(op, "padding_mode", padding_mode, PADDING_MODES)
    color = _images.channel_values(op, "fill", fill, x)
    rows = _sources(op, top, flip_vertical, "top", "flip_vertical", N, H, P, padding_mode)
    columns = _sources(op, left, flip_horizontal, "left", "flip_horizontal", N, W, Q, padding_mode)
    return _images.sized(x, (P, Q)), [rows, columns, color]


def _sources(
    op: str,
    start: Any,
    flip: Any,
    start_name: str,
    flip_name: str,
    N: int,
    extent: int,
    length: int,
    mode: str,
) -> np.ndarray:
    """(N, length) int32: the row of x that each row of y shows, -1 for the fill."""
    starts = _images.ints(op, start_name, start, N)[:, None]
    flips = _images.bools(op, flip_name, flip, N)[:, None]
    steps = np.arange(length)
    places = starts + np.where(flips, length - 1 - steps, steps)
    if extent == 0 and mode != "constant" and places.size:
        raise ValueError(f"{op}: padding_mode {mode!r} needs at least one pixel to repeat, got x without any")
    return _folded(places, extent, mode).astype(np.int32)


def _folded(places: np.ndarray, extent: int, mode: str) -> np.ndarray:
    if mode == "constant":
        return np.where((places >= 0) & (places < extent), places, -1)
    if mode == "edge" or extent == 1:
        return np.clip(places, 0, extent - 1)
    if mode == "reflect":
        period = 2 * (extent - 1)
        places = places % period
        return np.minimum(places, period - places)
    places = places % (2 * extent)
    return np.minimum(places, 2 * extent - 1 - places)

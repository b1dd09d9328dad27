"""Erased rectangles of images: contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _images
from gpudl.ops._images import Batch


def image_erase(x: Array, boxes: Any, *, value: Any = 0, out: Array | None = None) -> Array:
    """y[n, c, p, q] = value[c] inside the box of sample n, else x[n, c, p, q].

    x : (N, C, H, W) uint8, float16, bfloat16, float32 or float64, NumPy or CuPy.
    boxes : (N, 4) or (4,) ints: top, left, height, width, in pixels. What lies beyond the image is left
        out, and a box of height or width 0 erases nothing.
    value : a number, or (C,) numbers; whole numbers in [0, 255] for uint8.
    out : array like x to write to, or None for a new one, stored channels-last.
    Returns y : (N, C, H, W). Values are moved, so every executor gives the same bits.
    Raises ValueError for shapes and numbers that do not fit, TypeError for unsupported dtypes.
    """
    op = "image_erase"
    executor = _images.require_images(op, x)
    made, tables = erase_tables(op, x, boxes, value=value)
    y = _images.result(op, made, x, out)
    if y.array.size:
        executor.image_erase(_arrays.channels_last(x), *_images.tables(tables, x), y.array)
    return y.finish()


def erase_tables(op: str, x: Array | Batch, boxes: Any, *, value: Any = 0) -> tuple[Batch, list[np.ndarray]]:
    """What `image_erase` makes of x, and the edges and value that its executors take."""
    N, _, H, W = x.shape
    table = _images.ints(op, "boxes", boxes, N, (4,))
    if (table[:, 2:] < 0).any():
        raise ValueError(f"{op}: height and width of boxes must be at least 0, got {table[:, 2:].min()}")
    edges = np.stack([table[:, 0], table[:, 0] + table[:, 2], table[:, 1], table[:, 1] + table[:, 3]], axis=1)
    edges = np.clip(edges, 0, [H, H, W, W]).astype(np.int32)
    return _images.sized(x, (H, W)), [edges, _images.channel_values(op, "value", value, x)]

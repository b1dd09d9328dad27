"""Padding of images: contracts."""

from __future__ import annotations

from typing import Any

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._convolution import LAYOUTS, batched, finish_images, images_result

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def pad2d_forward(x: Array, padding: Any, *, mode: str = "zeros", out: Array | None = None) -> Array:
    """Add rows and columns around images.

    mode "zeros": 0 0 | 1 2 3 4 | 0 0; "reflect": 3 2 | 1 2 3 4 | 3 2; "replicate": 1 1 | 1 2 3 4 | 4 4;
    "circular": 3 4 | 1 2 3 4 | 1 2.

    x : (N, C, H, W) or (C, H, W) float16, bfloat16, float32 or float64, NumPy or CuPy.
    padding : int, or (left, right, top, bottom), at least 0; below the extent for "reflect", at most the
        extent for "circular".
    out : array to write to, or None for a new one, stored channels-last.
    Returns y : (N, C, top + H + bottom, left + W + right).
    Raises ValueError for a padding that the mode does not allow, TypeError for unsupported dtypes.
    Follows torch.nn.functional.pad.
    """
    op = "pad2d_forward"
    executor = _arrays.require_floats(op, x=x)
    unbatched = _arrays.require_ndim(op, "x", x, LAYOUTS[2], unbatched=True)
    images = batched(x, unbatched)
    N, C, H, W = images.shape
    left, right, top, bottom = sides = _sides(op, padding, mode, H, W)
    y = images_result(op, (N, C, top + H + bottom, left + W + right), out, unbatched, {"x": x})
    if y.array.size:
        executor.pad2d_forward(_arrays.channels_last(images), y.array, padding=sides, mode=mode)
    return finish_images(y, out, unbatched)


def pad2d_backward(dy: Array, padding: Any, *, mode: str = "zeros", out: Array | None = None) -> Array:
    """Gradient of `pad2d_forward`: each pixel of x collects the gradient of every pixel that repeats it.

    dy : (N, C, top + H + bottom, left + W + right) or without N; padding and mode as in the forward;
    out : (N, C, H, W) or (C, H, W), or None. Returns dx : (N, C, H, W) or (C, H, W). Raises as the forward.
    """
    op = "pad2d_backward"
    executor = _arrays.require_floats(op, dy=dy)
    unbatched = _arrays.require_ndim(op, "dy", dy, LAYOUTS[2], unbatched=True)
    gradient = batched(dy, unbatched)
    N, C, height, width = gradient.shape
    left, right, top, bottom = _arrays.integers(op, "padding", padding, 4, minimum=0)
    H, W = height - top - bottom, width - left - right
    if H < 0 or W < 0:
        raise ValueError(f"{op}: dy {dy.shape} is smaller than its padding {(left, right, top, bottom)}")
    sides = _sides(op, padding, mode, H, W)
    dx = images_result(op, (N, C, H, W), out, unbatched, {"dy": dy})
    if dx.array.size:
        executor.pad2d_backward(_arrays.channels_last(gradient), dx.array, padding=sides, mode=mode)
    return finish_images(dx, out, unbatched)


def _sides(op: str, padding: Any, mode: str, H: int, W: int) -> tuple[int, int, int, int]:
    _arrays.one_of(op, "mode", mode, PADDING_MODES)
    left, right, top, bottom = _arrays.integers(op, "padding", padding, 4, minimum=0)
    largest = {"zeros": None, "replicate": None, "reflect": -1, "circular": 0}[mode]
    for extent, sides in ((W, (left, right)), (H, (top, bottom))):
        if mode != "zeros" and max(sides) > 0 and extent == 0:
            raise ValueError(f"{op}: mode {mode!r} needs at least one pixel to repeat, got an extent of 0")
        if largest is not None and max(sides) > max(0, extent + largest):
            raise ValueError(
                f"{op}: padding must be at most {max(0, extent + largest)} for mode {mode!r} and extent {extent}, "
                f"got {sides}"
            )
    return left, right, top, bottom

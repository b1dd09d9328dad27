"""Max pooling by windows that lie side by side, as tiles: each element is compared with the largest of its window.

For few channels whole lines of numbers are worked on instead, as NumPy takes about 10 ns to begin with each run.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _windows
from gpudl._numpy._windows import Pair

_LEAST_CHANNELS = 24  # whose runs are worth to begin with
_FEW_PIXELS = 1000  # outputs whose runs take less time than the calls that they save
# Elements of a tile in all its channels from which passes over whole tiles pay: with 1176 to 1500 they took 0.7 to
# 1.15 of the time of passes along one axis and then the other, with 3136 0.6.
_LEAST_OF_A_TILE = 1500


def apply(
    x_size: Pair, y: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> bool:
    """Whether the windows are tiles that lie in x as a whole, and this file has a fast form for them."""
    side_by_side = kernel_size == stride and padding == (0, 0) and dilation == (1, 1)
    inside = all(out * step <= size for out, step, size in zip(y.shape[1:3], stride, x_size, strict=True))
    fast = kernel_size == (2, 2) or (
        min(kernel_size) > 1 and kernel_size[0] * kernel_size[1] * y.shape[3] >= _LEAST_OF_A_TILE
    )
    return side_by_side and inside and fast


def blocks(y_shape: tuple[int, ...], kernel_size: Pair) -> tuple[tuple[slice, Pair], ...]:
    """(samples, output rows) that are worth a block by what they read."""
    N, P, Q, C = y_shape
    return _windows.blocks((N, P, Q, -(-C * kernel_size[0] * kernel_size[1] // 4)))


def first_largest(x: np.ndarray, y: np.ndarray, offsets: np.ndarray | None, kernel_size: Pair) -> None:
    """y (N, P, Q, C) = the largest of each tile of x (N, P * R, >= Q * S, C), offsets which it is, if not None."""
    N, P, Q, C = y.shape
    R, S = kernel_size
    x = x[:, :, : Q * S]
    windows = x.reshape(N, P, R, Q, S, C)
    if kernel_size != (2, 2):
        _first_largest_of_tiles(windows, y, offsets)
    elif C >= _LEAST_CHANNELS or N * P * Q <= _FEW_PIXELS:
        _first_largest_of_four(windows, y, offsets)
    else:
        _first_largest_of_pairs(x, y, offsets)
    if offsets is not None:
        _last_nan(windows, y, offsets)


def _first_largest_of_tiles(windows: np.ndarray, y: np.ndarray, offsets: np.ndarray | None) -> None:
    """Of (N, P, R, Q, S, C): the largest along R, then along S; then the smallest number of those that equal it."""
    N, P, R, Q, S, C = windows.shape
    rows = _scratch("rows", (N, P, Q, S, C), windows.dtype)
    np.maximum.reduce(windows, axis=2, out=rows)
    np.maximum.reduce(rows, axis=3, out=y)
    if offsets is None:
        return
    smaller = _scratch("smaller", windows.shape, np.bool_)
    np.not_equal(windows, y[:, :, None, :, None], out=smaller)
    code = offsets.dtype.type
    codes = smaller.view(np.uint8) if code is np.uint8 else _scratch("codes", windows.shape, code)
    np.multiply(smaller.view(np.uint8), code(np.iinfo(code).max), out=codes)
    numbers = np.arange(R * S, dtype=code).reshape(R, 1, S, 1)
    codes |= np.broadcast_to(numbers, (R, Q, S, C)).copy()  # whole rows of numbers, to be met in long runs
    least = _scratch("least", rows.shape, code)
    np.minimum.reduce(codes, axis=2, out=least)
    np.minimum.reduce(least, axis=3, out=offsets)


def _first_largest_of_four(windows: np.ndarray, y: np.ndarray, offsets: np.ndarray | None) -> None:
    """Of tiles of 2x2: 1 + 1 + 1 of the first three that are smaller, as long as all before them are."""
    upper_left, upper_right, lower_left, lower_right = (windows[:, :, i // 2, :, i % 2] for i in range(4))
    lower = _scratch("lower", y.shape, y.dtype)
    np.maximum(lower_left, lower_right, out=lower)
    np.maximum(upper_left, upper_right, out=y)
    np.maximum(y, lower, out=y)
    if offsets is None:
        return
    smaller, code = (_scratch(key, y.shape, np.bool_) for key in ("smaller", "code"))
    factor, number = smaller.view(np.uint8), code.view(np.uint8)
    np.not_equal(lower_left, y, out=code)
    np.not_equal(upper_right, y, out=smaller)
    number += 1
    number *= factor
    np.not_equal(upper_left, y, out=smaller)
    number += 1
    np.multiply(number, factor, out=offsets)


def _first_largest_of_pairs(x: np.ndarray, y: np.ndarray, offsets: np.ndarray | None) -> None:
    """Of tiles of 2x2: along H first, in long runs, which leaves half of the pixels.

    Along W every pixel then meets its right neighbour as if all lay in one line, which is work for nothing at every
    second one; but calls on one long run are so much faster that only results are picked. 0.5 to 0.9 of the time of
    passes over every second pixel.
    """
    above, below = x[:, 0::2], x[:, 1::2]
    rows = np.maximum(above, below, out=_scratch("rows", above.shape, x.dtype))
    left, right = _neighbours(rows)
    largest = _scratch("largest", rows.shape, x.dtype)
    np.maximum(left, right, out=_neighbours(largest)[0])
    _windows.copy_pixels(y, largest[:, :, 0::2])
    if offsets is None:
        return
    lower = np.greater(below, above, out=_scratch("lower", above.shape, np.bool_))
    lower_left, lower_right = _neighbours(lower.view(np.uint8))
    # The right one is first where it is larger, or as large and in the upper row where the left one is in the lower.
    chosen = np.greater(right, left, out=_scratch("larger", left.shape, np.bool_))
    earlier = np.greater(lower_left, lower_right, out=_scratch("earlier", left.shape, np.bool_))
    earlier &= np.equal(left, right, out=_scratch("equal", left.shape, np.bool_))
    chosen |= earlier
    # 2 * lower + s of the chosen column s; lower_left ^ lower_right turns the left one's into the right one's.
    codes = _scratch("codes", rows.shape, offsets.dtype)
    code, column = _neighbours(codes)[0], chosen.view(np.uint8)
    np.bitwise_xor(lower_left, lower_right, out=code)
    code &= column
    code ^= lower_left
    np.add(code, code, out=code)
    code += column
    _windows.copy_pixels(offsets, codes[:, :, 0::2])


def _neighbours(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pixels but the last and all but the first, each as one line of numbers; pixels : (N, P, W, C), contiguous."""
    line, channels = pixels.reshape(-1), pixels.shape[3]
    return line[:-channels], line[channels:]


def _last_nan(windows: np.ndarray, y: np.ndarray, offsets: np.ndarray) -> None:
    """Offsets of the last NaN where the largest is one, as in PyTorch."""
    missing = np.isnan(y, out=_scratch("missing", y.shape, np.bool_))
    if missing.any():
        _, _, R, _, S, _ = windows.shape
        for number in range(R * S):
            np.copyto(offsets, number, where=missing & np.isnan(windows[:, :, number // S, :, number % S]))


def _scratch(key: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    return _parallel.scratch(f"max_pool2d_{key}", shape, dtype)

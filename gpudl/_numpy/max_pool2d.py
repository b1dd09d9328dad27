"""Max pooling on channels-last memory, along one axis and then along the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gpudl import _parallel
from gpudl._numpy import _max_pool2d_tiles, _windows
from gpudl._numpy._elementwise import clear, keep
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy._windows import Pair

# Pixels of so many channels are first copied side by side where a stride lies between them: 0.7 to 1.0 of the time.
_GATHERED_CHANNELS = 256
# Elements of a window whose numbers are compared with every offset. For 25 it takes 0.4 to 0.8 of the time to add each
# gradient at its place (5 ns), for 9 it takes 0.6 to 1.5, and on one thread alone.
_MOST_COMPARED = 16
_CHUNK = 1 << 16  # elements of dy whose parts of dx stay in cache while all offsets add to them


@computed_in_float32("y")
def max_pool2d_forward(
    x: np.ndarray,
    y: np.ndarray,
    offsets: np.ndarray | None,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """x : (N, H, W, C). y, offsets : (N, P, Q, C). Along W first, then along H, each with the first largest."""
    (vertical, horizontal) = zip(kernel_size, stride, padding, dilation, strict=True)
    tiled = _max_pool2d_tiles.apply(x.shape[1:3], y, kernel_size, stride, padding, dilation)
    pieces = _max_pool2d_tiles.blocks(y.shape, kernel_size) if tiled else _windows.blocks(y.shape)
    code = np.dtype(np.uint8) if offsets is None else offsets.dtype

    def block(i: int) -> None:
        samples, rows = pieces[i]
        out = slice(*rows)
        result = None if offsets is None else offsets[samples, out]
        if tiled:
            seen = x[samples, rows[0] * stride[0] : rows[1] * stride[0]]
            _max_pool2d_tiles.first_largest(seen, y[samples, out], result, kernel_size)
            return
        seen, above = _windows.rows_of(x.shape[1], rows, *vertical)
        source = x[samples, seen]
        shape = (*source.shape[:2], *y.shape[2:])
        largest = _parallel.scratch("max_pool2d_largest", shape, x.dtype)
        codes = None if offsets is None else _parallel.scratch("max_pool2d_codes", shape, code)
        views = _windows.scan(source.shape[2], y.shape[2], *horizontal)
        largest_along(2, views, source, None, largest, codes)
        views = _windows.scan(
            largest.shape[1], rows[1] - rows[0], vertical[0], vertical[1], above, vertical[3]
        )
        largest_along(1, views, largest, codes, y[samples, out], result, kernel_size[1])
        if offsets is not None:
            views = _windows.offsets(x[samples], y.shape, rows, kernel_size, stride, padding, dilation)
            _last_nan(y[samples], offsets[samples], rows, views)

    _parallel.run(block, len(pieces), blas=False)


def largest_along(
    axis: int,
    views: Sequence[tuple[int, bool, slice, slice | np.ndarray]],
    x: np.ndarray,
    x_codes: np.ndarray | None,
    y: np.ndarray,
    codes: np.ndarray | None,
    unit: int = 1,
) -> None:
    """Maxima of windows along one axis of x, and codes unit * offset + x_codes of the first that is largest.

    views : as of `_windows.scan`; inputs may be an array of places. codes : written, or None where they are not
    wanted. They grow along the window, so a later element that is larger takes over by a maximum of codes.
    """
    if sum(outputs.stop - outputs.start for _, first, outputs, _ in views if first) < y.shape[axis]:
        y[...] = -np.inf
        if codes is not None:
            codes[...] = 0
    before = (slice(None),) * axis
    for offset, first, outputs, inputs in views:
        part, target = _seen(axis, x, inputs, "part"), y[(*before, outputs)]
        if axis == 2 and not first and _apart(inputs) and 1 < x.shape[3] <= _GATHERED_CHANNELS:
            pixels, part = part, _scratch("part", part, x.dtype)
            _windows.copy_pixels(part, pixels)
        if codes is not None:
            code = codes.dtype.type(unit * offset)
            if x_codes is not None:
                code = np.add(
                    _seen(axis, x_codes, inputs, "code"), code, out=_scratch("code", part, codes.dtype)
                )
            chosen = codes[(*before, outputs)]
            if first:
                chosen[...] = code
            else:
                larger = np.greater(part, target, out=_scratch("larger", part, np.dtype(np.bool_)))
                code = np.multiply(larger.view(np.uint8), code, out=_scratch("taken", part, codes.dtype))
                np.maximum(chosen, code, out=chosen)
        if first:
            _windows.copy_pixels(target, part)
        else:
            np.maximum(target, part, out=target)


def _seen(axis: int, x: np.ndarray, inputs: slice | np.ndarray, key: str) -> np.ndarray:
    """x at these places of an axis: a view, or a copy for an array of places."""
    if isinstance(inputs, slice):
        return x[(*(slice(None),) * axis, inputs)]
    shape = (*x.shape[:axis], len(inputs), *x.shape[axis + 1 :])
    copy = _parallel.scratch(f"max_pool2d_{key}", shape, x.dtype)
    return np.take(x, inputs, axis=axis, out=copy, mode="clip")


def _apart(inputs: slice | np.ndarray) -> bool:
    """Whether pixels of x lie between those that are looked at, and they are no copy yet."""
    return isinstance(inputs, slice) and inputs.step > 1


def _scratch(key: str, like: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return _parallel.scratch(f"max_pool2d_{key}", like.shape, dtype)


def _last_nan(y: np.ndarray, offsets: np.ndarray, rows: Pair, views: Iterable) -> None:
    """Offsets of the last NaN where the maximum is one, as in PyTorch."""
    missing = np.isnan(y[:, rows[0] : rows[1]])
    if not missing.any():
        return
    found = offsets[:, rows[0] : rows[1]]
    for offset, part, place in views:
        here = (slice(None), slice(place[0].start - rows[0], place[0].stop - rows[0]), place[1])
        np.copyto(found[here], offset, where=np.isnan(part) & missing[here])


@computed_in_float32("dx")
def max_pool2d_backward(
    dy: np.ndarray,
    offsets: np.ndarray,
    dx: np.ndarray,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """dy, offsets : (N, P, Q, C). dx : (N, H, W, C)."""
    if kernel_size[0] * kernel_size[1] > _MOST_COMPARED and dilation == (1, 1):
        windows = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
        _backward_by_place(dy, offsets, dx, windows)
        return
    numbers = (kernel_size, stride, padding, dilation)
    alone = _windows.disjoint(kernel_size, stride, dilation)
    complete = _windows.cover_once(dx.shape[1:3], dy.shape[1:3], *numbers)
    pieces = _windows.samples(dx.shape)
    rows = dy.shape[1]
    step = max(1, _CHUNK // max(1, dy.shape[2] * dy.shape[3]))

    def block(i: int) -> None:
        samples = pieces[i]
        if not complete:
            clear(dx[samples])
        for cut in reversed(
            _parallel.ranges(rows, step)
        ):  # sums in the order of the offsets, as without cuts
            for offset, part, place in _windows.offsets(dx[samples], dy.shape, cut, *numbers):
                gradient = dy[samples, place[0], place[1]]
                chosen = _scratch("chosen", gradient, np.dtype(np.bool_))
                np.equal(offsets[samples, place[0], place[1]], offset, out=chosen)
                kept = keep(gradient, chosen, _scratch("kept", gradient, dy.dtype))
                if alone:
                    _windows.copy_pixels(part, kept)
                else:
                    np.add(part, kept, out=part)

    _parallel.run(block, len(pieces), blas=False)


def _backward_by_place(dy: np.ndarray, offsets: np.ndarray, dx: np.ndarray, windows: dict[str, Pair]) -> None:
    """The same for large windows. Without dilation none lies in the padding as a whole: each names an element of x."""
    pieces = _windows.samples(dx.shape)

    def block(i: int) -> None:
        codes = offsets[pieces[i]]
        indices = _scratch("indices", codes, np.dtype(np.int64))
        max_pool2d_indices(codes, indices, height=dx.shape[1], width=dx.shape[2], **windows)
        # From the last window to the first: an element adds them in the order of its offset in them, as in the kernel.
        add_at_places(dy[pieces[i]], indices, dx[pieces[i]], step=-1)

    _parallel.run(block, len(pieces), blas=False)


def add_at_places(dy: np.ndarray, indices: np.ndarray, dx: np.ndarray, *, step: int) -> None:
    """dx (N, H, W, C) = the sums of the dy (N, P, Q, C) whose indices name its elements, from the first or the last."""
    clear(dx)
    N, H, W, C = dx.shape
    place = _scratch("place", indices, np.dtype(np.int64))
    np.multiply(indices, C, out=place)
    place += (np.arange(N) * (H * W * C))[:, None, None, None] + np.arange(C)
    np.add.at(dx.reshape(-1), place.reshape(-1)[::step], dy.reshape(-1)[::step])


def max_pool2d_indices(
    offsets: np.ndarray,
    indices: np.ndarray,
    *,
    height: int,
    width: int,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """indices = h * W + w, of the nearest element where a whole window lies in the padding. Both (N, P, Q, C)."""
    windows = (kernel_size, stride, padding, dilation)
    vertical, horizontal = ([each[axis] for each in windows] for axis in range(2))
    tops, rows = _corners(height, offsets.shape[1], *vertical)
    lefts, columns = _corners(width, offsets.shape[2], *horizontal)
    number = np.dtype(np.int32 if height * width < 1 << 30 else np.int64)
    corners = (tops[:, None] * width + lefts)[..., None].astype(number)
    down, right = number.type(dilation[0] * width - kernel_size[1] * dilation[1]), number.type(dilation[1])
    borders = [(slice(*rows), slice(*part)) for part in ((0, columns[0]), (columns[1], len(lefts)))]
    borders += [(slice(*part), slice(None)) for part in ((0, rows[0]), (rows[1], len(tops)))]
    pieces = _windows.samples(offsets.shape)

    def block(i: int) -> None:
        code, place = offsets[pieces[i]], indices[pieces[i]]
        step, total = _scratch("step", code, number), _scratch("total", code, number)
        np.copyto(step, code)
        np.floor_divide(step, kernel_size[1], out=total)
        total *= down
        step *= right
        total += step
        np.add(total, corners, out=place)
        for p, q in borders:
            r, s = np.divmod(code[:, p, q].astype(np.int64), kernel_size[1])
            h = np.clip(tops[p, None, None] + r * dilation[0], 0, height - 1)
            place[:, p, q] = h * width + np.clip(lefts[q, None] + s * dilation[1], 0, width - 1)

    _parallel.run(block, len(pieces), blas=False)


def _corners(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[np.ndarray, Pair]:
    """Where the windows along an axis start, and [first, last) of those that lie inside as a whole."""
    first, _ = _windows.span(out, size, -padding, stride)
    _, last = _windows.span(out, size, (kernel - 1) * dilation - padding, stride)
    return np.arange(out) * stride - padding, (min(first, out), max(min(first, out), last))

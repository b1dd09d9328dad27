"""Affine maps of images: places of a tile of pixels, then gathers from copies with a border of the fill.

The border spares masks: a place beyond the image is clipped to it.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._images import groups, pixels, run, store
from gpudl._numpy._precision import accumulation_dtype

_TILE = 1 << 16  # pixels of y
_BEFORE, _AFTER = 1, 2  # border; a place clipped to the extent also reads the pixel after that


def image_affine(
    x: np.ndarray, matrices: np.ndarray, fill: np.ndarray, y: np.ndarray, *, interpolation: str
) -> None:
    """y[n, :, p, q] = x at the place matrices[n] (2, 3) of (q, p, 1). matrices : float32. fill : (C,)."""
    P, Q = y.shape[2:]
    sample = _Nearest if interpolation == "nearest" else _Bilinear
    pieces = groups(len(y), P * Q, _TILE)

    def block(i: int) -> None:
        first, last = pieces[i]
        source = sample(x[first:last], fill)
        for p0, p1 in _parallel.ranges(P, max(1, _TILE // (Q * (last - first)))):
            u, v = _places(matrices[first:last], p0, p1, Q)
            source(u, v, y[first:last, :, p0:p1])

    run(block, len(pieces), y.size)


def _places(matrices: np.ndarray, p0: int, p1: int, Q: int) -> tuple[np.ndarray, np.ndarray]:
    """Column u and row v (G, p1 - p0, Q) in x for rows p0 .. p1 of y, in scratch."""
    p = np.arange(p0, p1, dtype=np.float32)[:, None]
    q = np.arange(Q, dtype=np.float32)
    made = []
    for row, name in enumerate(("u", "v")):
        by_q, by_p, shift = (matrices[:, row, k, None, None] for k in range(3))
        place = _parallel.scratch(f"affine_{name}", (len(matrices), p1 - p0, Q), np.float32)
        np.add(by_q * q, by_p * p, out=place)
        place += shift
        made.append(place)
    return made[0], made[1]


def _index(columns: np.ndarray, rows: np.ndarray, pitch: int, plane: int) -> np.ndarray:
    """Whole places in [-1, extent], as float32, to flat indices into bordered copies, in scratch."""
    index, column = (_parallel.scratch(f"affine_{name}", rows.shape, np.intp) for name in ("index", "column"))
    index[...] = rows
    column[...] = columns
    index *= pitch
    index += column
    index += _BEFORE * (pitch + 1) + np.arange(len(rows))[:, None, None] * plane
    return index


class _Nearest:
    """Gathers whole pixels of the images x."""

    def __init__(self, x: np.ndarray, fill: np.ndarray):
        G, _, self.H, self.W = x.shape
        source, color = pixels(x), pixels(fill[None, :, None, None])
        self.bordered = _bordered("affine_pixels", (G,), source, color[0, 0, 0])

    def __call__(self, u: np.ndarray, v: np.ndarray, y: np.ndarray) -> None:
        for place, extent in ((u, self.W), (v, self.H)):
            np.rint(place, out=place)
            np.clip(place, -1, extent, out=place)
        _, rows, pitch = self.bordered.shape
        index = _index(u, v, pitch, rows * pitch)
        pixels(y)[...] = self.bordered.reshape(-1).take(index, mode="clip")


class _Bilinear:
    """Gathers four neighbours of each place from planes of the images x, a channel at a time."""

    def __init__(self, x: np.ndarray, fill: np.ndarray):
        G, C, self.H, self.W = x.shape
        self.dtype = accumulation_dtype(fill.dtype)
        color = fill.astype(self.dtype)[:, None, None, None]
        self.bordered = _bordered("affine_planes", (C, G), x.transpose(1, 0, 2, 3), color)

    def __call__(self, u: np.ndarray, v: np.ndarray, y: np.ndarray) -> None:
        columns, rows = (
            self._split(place, extent, name) for place, extent, name in ((u, self.W, "j"), (v, self.H, "i"))
        )
        pitch = self.bordered.shape[3]
        plane = self.bordered.shape[2] * pitch
        index = _index(columns, rows, pitch, plane)
        corners = [_parallel.scratch(f"affine_{k}", u.shape, self.dtype) for k in range(4)]
        for c, planes in enumerate(self.bordered.reshape(len(self.bordered), -1)):
            for values, offset in zip(corners, (0, 1, pitch, pitch + 1), strict=True):
                planes[offset:].take(index, out=values, mode="clip")
            above = _between(corners[0], corners[1], u)
            below = _between(corners[2], corners[3], u)
            store(_between(above, below, v), y[:, c])

    def _split(self, place: np.ndarray, extent: int, name: str) -> np.ndarray:
        """floor(place); `place` keeps the fraction."""
        np.clip(place, -1, extent, out=place)
        whole = _parallel.scratch(f"affine_{name}", place.shape, np.float32)
        np.floor(place, out=whole)
        place -= whole
        return whole


def _between(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """first + weight * (second - first), in the memory of `second`."""
    second -= first
    second *= weight
    second += first
    return second


def _bordered(key: str, leading: tuple[int, ...], source: np.ndarray, fill: object) -> np.ndarray:
    """Scratch with a border of `fill` around the last two axes of source."""
    H, W = source.shape[-2:]
    dtype = fill.dtype
    made = _parallel.scratch(key, (*leading, H + _BEFORE + _AFTER, W + _BEFORE + _AFTER), dtype)
    made[...] = fill
    made[..., _BEFORE : _BEFORE + H, _BEFORE : _BEFORE + W] = source
    return made

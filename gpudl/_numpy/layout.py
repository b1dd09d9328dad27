"""The same elements in the other memory order: copies, in blocks.

Either order to the other is one task: matrices (rows, columns), one for each sample, are transposed.
"""

from __future__ import annotations

import math

import numpy as np

from gpudl import _parallel

_BLOCK = 1 << 20  # bytes, which a thread copies in 100 to 300 us: long calls beside the wait between two
_ALONE = 1 << 21  # bytes that one thread copies in 200 us, of which a second one would save little
_FEW_ROWS = 8  # below, a copy for each row: (128, 3, 1024) float32 takes 0.25 of the time of one copy of all
# A first-level cache holds this many lines whose addresses agree modulo a page, so a column of more rows that all start
# at such addresses drives its own lines out.
_WAYS, _PAGE = 8, 4096
_LINE = 64  # bytes


def copy(x: np.ndarray, y: np.ndarray) -> None:
    """y = x, both (M,)."""
    pieces = _parallel.equal_ranges(len(x), _BLOCK // x.itemsize, alone=_ALONE // x.itemsize)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        y[piece] = x[piece]

    _parallel.run(block, len(pieces), blas=False)


def to_channels_last(x: np.ndarray, y: np.ndarray) -> None:
    """y = x : (N, C, ...); x is C-contiguous, the memory of y is (N, ..., C)."""
    if x.size:
        N, C = x.shape[:2]
        _transpose(x.reshape(N, C, -1), _memory_order(y).reshape(N, -1, C))


def to_contiguous(x: np.ndarray, y: np.ndarray) -> None:
    """y = x : (N, C, ...); the memory of x is (N, ..., C), y is C-contiguous."""
    if x.size:
        N, C = x.shape[:2]
        _transpose(_memory_order(x).reshape(N, -1, C), y.reshape(N, C, -1))


def _memory_order(x: np.ndarray) -> np.ndarray:
    """(N, C, ...) as (N, ..., C)."""
    return x.transpose(0, *range(2, x.ndim), 1)


def _transpose(x: np.ndarray, y: np.ndarray) -> None:
    """y (N, columns, rows) = the transposed matrices of x (N, rows, columns), both C-contiguous."""
    plain = f"u{x.itemsize}"  # bfloat16, which NumPy does not know, takes twice the time
    x, y = x.view(plain), y.view(plain)
    rows = x.shape[1]
    form = _by_rows if rows < _FEW_ROWS else _through_longer_rows if _crowded(rows, x.strides[1]) else _whole
    pieces = _pieces(*x.shape, x.itemsize)

    def block(i: int) -> None:
        samples, columns = pieces[i]
        form(x[samples, :, columns], y[samples, columns])

    _parallel.run(block, len(pieces), blas=False)


def _pieces(count: int, rows: int, columns: int, itemsize: int) -> list[tuple[slice, slice]]:
    """Samples and columns of each block: several samples, or columns of one large sample."""
    column = rows * itemsize
    sample = column * columns
    if sample <= _BLOCK:
        parts = _parallel.equal_ranges(count, _BLOCK // sample, alone=_ALONE // sample)
        return [(slice(*part), slice(None)) for part in parts]
    parts = _parallel.equal_ranges(columns, max(1, _BLOCK // column), multiple=_LINE // itemsize)
    return [(slice(n, n + 1), slice(*part)) for n in range(count) for part in parts]


def _crowded(rows: int, row_bytes: int) -> bool:
    return row_bytes % _LINE == 0 and rows > _WAYS * (_PAGE // math.gcd(_PAGE, row_bytes))


def _whole(x: np.ndarray, y: np.ndarray) -> None:
    y[...] = x.transpose(0, 2, 1)


def _by_rows(x: np.ndarray, y: np.ndarray) -> None:
    for row in range(x.shape[1]):
        y[:, :, row] = x[:, row]


def _through_longer_rows(x: np.ndarray, y: np.ndarray) -> None:
    """By a copy whose rows are an odd number of lines apart: 0.25 to 0.6 of the time of `_whole` where crowded."""
    columns = x.shape[2]
    lines = -(-columns * x.itemsize // _LINE) | 1
    padded = _parallel.scratch("layout", (*x.shape[:2], lines * _LINE // x.itemsize), x.dtype)[:, :, :columns]
    padded[...] = x
    _whole(padded, y)

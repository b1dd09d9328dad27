"""Group normalisation of (N, L, C), channels-last memory of any rank, in blocks of whole samples.

A block is several samples, or one large one. Sums are taken for each channel of a sample
over rows joined to wide ones, then added within the groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import computed_in_float32

_WIDE = 1 << 12  # elements of a joined row
# Elements of a block. Beyond the cache, and still the fastest: of two threads each waits for the interpreter lock
# between calls, and is woken late, so calls have to be long. See `_channels`.
_BLOCK = 1 << 19
# Elements that one thread does before a second one is awake: the passes over 32768 take 40 us.
_ALONE = 1 << 16


@computed_in_float32("y")
def group_norm_forward(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    y: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    *,
    eps: float,
) -> None:
    """y = (x - mean) * rstd * weight + bias; mean and rstd (N, G) are those of each group of a sample."""
    samples = _Samples(x.shape, mean.shape[1])

    def block(part: slice) -> None:
        source, result = samples.wide(x[part]), samples.wide(y[part])
        average = samples.group_means(_column_sums(source))
        mean[part] = average
        # Deviations are formed in the result, which needs them anyway: squares of them do not cancel.
        np.subtract(source, samples.spread(mean[part], x.dtype), out=result)
        variance = samples.group_means(_column_dots(result, result))
        inverse = 1 / np.sqrt(variance + eps)
        rstd[part] = inverse
        scale = samples.to_channels(inverse)
        scale = scale if weight is None else scale * weight
        np.multiply(result, samples.repeated(scale, x.dtype), out=result)
        if bias is not None:
            np.add(result, samples.repeated(bias[None], x.dtype), out=result)

    samples.run(block)


@computed_in_float32("dx", "dweight", "dbias")
def group_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    dx: np.ndarray | None,
    dweight: np.ndarray | None,
    dbias: np.ndarray | None,
) -> None:
    """Gradients of `group_norm_forward`; None for one that is not wanted.

    With g = dy * weight: dx = rstd * (g - mean of g - xhat * mean of g * xhat), the means over a group.
    """
    samples = _Samples(x.shape, mean.shape[1])
    totals = np.zeros((x.shape[0], x.shape[2]))
    products = np.zeros_like(totals)

    def block(part: slice) -> None:
        source, gradient = samples.wide(x[part]), samples.wide(dy[part])
        centre = samples.spread(mean[part], x.dtype)
        inverse = samples.to_channels(rstd[part].astype(np.float64))
        totals[part] = samples.fold(_column_sums(gradient))
        products[part] = samples.fold(samples.dots_about(centre, source, gradient)) * inverse
        if dx is None:
            return
        factor = 1.0 if weight is None else weight.astype(np.float64)
        slope = samples.to_channels(samples.group_means_of_channels(products[part] * factor)) * inverse
        constant = samples.to_channels(samples.group_means_of_channels(totals[part] * factor))
        of_dy, of_deviation = (samples.repeated(v, x.dtype) for v in (factor * inverse, -slope * inverse))
        constant = samples.repeated(-constant * inverse, x.dtype)
        result = samples.wide(dx[part])
        for rows in samples.rows(source):
            product = _parallel.scratch("group_norm", source[:, rows].shape, x.dtype)
            np.subtract(source[:, rows], centre, out=product)
            np.multiply(product, of_deviation, out=product)
            np.add(product, constant, out=product)
            np.multiply(gradient[:, rows], of_dy, out=result[:, rows])
            np.add(result[:, rows], product, out=result[:, rows])

    samples.run(block)
    with np.errstate(all="ignore"):
        if dweight is not None:
            dweight[...] = products.sum(axis=0)
        if dbias is not None:
            dbias[...] = totals.sum(axis=0)


class _Samples:
    """Blocks of samples of a dense (N, L, C) as (samples, wide rows, width), and its vectors of C and of G."""

    def __init__(self, shape: tuple[int, int, int], groups: int):
        self._count, length, self._channels = shape
        self._groups = groups
        self._size = length * self._channels // groups  # elements of a group
        self._empty = self._count * length * self._channels == 0
        self._joined = _largest_divisor(length, _WIDE // max(1, self._channels))

    def run(self, block: Callable[[slice], None]) -> None:
        """block(samples) for all."""
        if self._empty:
            return
        longest, alone = (max(1, size // (self._size * self._groups)) for size in (_BLOCK, _ALONE))
        pieces = _parallel.equal_ranges(self._count, longest, alone=alone)

        _parallel.run(lambda i: block(slice(*pieces[i])), len(pieces))

    def wide(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(len(array), -1, self._joined * self._channels)

    def rows(self, wide: np.ndarray) -> list[slice]:
        """Pieces of the wide rows, so that scratch is bounded for any size of sample."""
        length = max(1, _BLOCK // (wide.shape[0] * wide.shape[2]))
        return [slice(*piece) for piece in _parallel.ranges(wide.shape[1], length)]

    def dots_about(self, centre: np.ndarray, source: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """The sum of gradient * (source - centre) over the wide rows."""
        total = np.zeros((len(source), source.shape[2]))
        for rows in self.rows(source):
            deviation = _parallel.scratch("group_norm", source[:, rows].shape, source.dtype)
            np.subtract(source[:, rows], centre, out=deviation)
            total += _column_dots(gradient[:, rows], deviation)
        return total

    def fold(self, wide: np.ndarray) -> np.ndarray:
        """Sums per column of wide rows to sums per channel, in float64."""
        return _column_sums(wide.astype(np.float64).reshape(len(wide), self._joined, self._channels))

    def group_means(self, wide: np.ndarray) -> np.ndarray:
        """Sums per column of wide rows to means per group."""
        return self.group_means_of_channels(self.fold(wide))

    def group_means_of_channels(self, sums: np.ndarray) -> np.ndarray:
        return sums.reshape(len(sums), self._groups, -1).sum(axis=2) / self._size

    def to_channels(self, of_groups: np.ndarray) -> np.ndarray:
        """(samples, G) as (samples, C)."""
        return np.repeat(of_groups, self._channels // self._groups, axis=1)

    def spread(self, of_groups: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """(samples, G) as vectors as long as a wide row."""
        return self.repeated(self.to_channels(of_groups), dtype)

    def repeated(self, of_channels: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """(samples, C) as vectors as long as a wide row."""
        return np.tile(of_channels.astype(dtype), (1, self._joined))[:, None, :]


def _largest_divisor(number: int, limit: int) -> int:
    return next((d for d in range(min(number, limit), 1, -1) if number % d == 0), 1)


def _column_sums(wide: np.ndarray) -> np.ndarray:
    return np.matmul(np.ones((1, wide.shape[1]), wide.dtype), wide)[:, 0]


def _column_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nij->nj", a, b)

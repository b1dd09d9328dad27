"""Batch normalisation over the rows of (rows, C), which is channels-last memory of any rank.

Two passes over blocks: sums, then the result. Sums of a block are in the precision of x, and
blocks are merged in order in float64. They are of x as it is where its mean is small enough for that to lose
nothing; else of x - mean, which is another pass that writes memory.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._channels import Channels, column_dots
from gpudl._numpy._precision import computed_in_float32

# Elements that are one block: on two threads (32, 64, 8, 8) takes twice and (32, 32, 16, 16) 1.5 times as long, as
# there is little work between a pass's start and the second thread's.
_ALONE = 1 << 18
# |mean| by standard deviation up to which sums are of x: a square's rounding error is at most 1 + 4**2 times that of a
# deviation's, averaged over the wide rows. Outputs of ResNet-20's convolutions are up to 2.5.
_NEAR_ZERO = 4.0


@computed_in_float32("y")
def batch_norm_forward(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    y: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    num_batches_tracked: np.ndarray | None,
    *,
    momentum: float | None,
    eps: float,
) -> None:
    """y = (x - mean) * rstd * weight + bias with the statistics of x, which are written and tracked."""
    if num_batches_tracked is not None:
        num_batches_tracked += 1
    if len(x) == 0:  # a batch of nothing counts, and teaches nothing
        mean[...] = rstd[...] = 0
        return
    with np.errstate(all="ignore"):
        average, variance = _statistics(x)
        inverse = 1 / np.sqrt(variance + eps)
        if running_mean is not None:
            share = 1 / float(num_batches_tracked) if momentum is None else momentum
            _track(running_mean, average, share)
            _track(running_var, variance * (len(x) / (len(x) - 1)), share)
        mean[...], rstd[...] = average, inverse
        _affine(x, y, *_scale_and_shift(average, inverse, weight, bias))


@computed_in_float32("y")
def batch_norm_inference(
    x: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    y: np.ndarray,
    *,
    eps: float,
) -> None:
    """y = (x - running_mean) / sqrt(running_var + eps) * weight + bias."""
    with np.errstate(all="ignore"):
        inverse = 1 / np.sqrt(running_var.astype(np.float64) + eps)
        _affine(x, y, *_scale_and_shift(running_mean.astype(np.float64), inverse, weight, bias))


@computed_in_float32("dx", "dweight", "dbias")
def batch_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    dx: np.ndarray | None,
    dweight: np.ndarray | None,
    dbias: np.ndarray | None,
) -> None:
    """Gradients of `batch_norm_forward`; None for one that is not wanted."""
    with np.errstate(all="ignore"):
        inverse = rstd.astype(np.float64)
        total, product = _sums(dy, x, mean, inverse)
        if dweight is not None:
            dweight[...] = product
        if dbias is not None:
            dbias[...] = total
        if dx is None:
            return
        of_x = -inverse * product / max(len(x), 1)
        constant = -total / max(len(x), 1) - of_x * mean
        _combine(dy, x, dx, of_x, constant, inverse if weight is None else inverse * weight)


@computed_in_float32("dx", "dweight", "dbias")
def batch_norm_inference_backward(
    dy: np.ndarray,
    x: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: np.ndarray | None,
    dx: np.ndarray | None,
    dweight: np.ndarray | None,
    dbias: np.ndarray | None,
    *,
    eps: float,
) -> None:
    """Gradients of `batch_norm_inference`, whose statistics are constants; None for one that is not wanted."""
    with np.errstate(all="ignore"):
        inverse = 1 / np.sqrt(running_var.astype(np.float64) + eps)
        if dweight is not None or dbias is not None:
            total, product = _sums(dy, x, running_mean, inverse)
            if dweight is not None:
                dweight[...] = product
            if dbias is not None:
                dbias[...] = total
        if dx is not None:
            _affine(dy, dx, inverse if weight is None else inverse * weight, None)


# ---- passes


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance of each column, in float64.

    Each block sums its squares around its own mean, so nothing cancels where the mean is far from 0.
    """
    channels = Channels(*x.shape, alone=_ALONE)
    slots = (len(channels.blocks), channels.channels)
    means, squares = np.empty(slots), np.empty(slots)

    def block(i: int) -> None:
        total, square, count = 0.0, 0.0, channels.count(i)
        for (part,) in channels.wide(i, x):
            total += channels.fold(channels.sums(part))
            square += channels.fold(column_dots(part, part))
        means[i] = total / count
        squares[i] = square - total * means[i]
        if not _near_zero(means[i], squares[i] / count):
            centre = channels.repeated(means[i], x.dtype)
            deviations = (_deviations(part, centre) for (part,) in channels.wide(i, x))
            squares[i] = sum(channels.fold(column_dots(each, each)) for each in deviations)

    channels.run(block, blas=channels.by_blas)
    if len(channels.blocks) == 1:
        return means[0], squares[0] / len(x)
    counts = np.array([channels.count(i) for i in range(len(channels.blocks))], np.float64)[:, None]
    mean = (means * counts).sum(axis=0) / len(x)
    # Chan's formula: squares around the blocks' means, and of those means around the mean of all.
    return mean, (squares.sum(axis=0) + (counts * (means - mean) ** 2).sum(axis=0)) / len(x)


def _sums(dy: np.ndarray, x: np.ndarray, mean: np.ndarray, rstd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums of dy and of dy * (x - mean) * rstd over the rows, in float64."""
    if dy.size == 0:
        return np.zeros(dy.shape[1]), np.zeros(dy.shape[1])
    channels = Channels(*x.shape, alone=_ALONE)
    centre = None if _near_zero(mean, rstd**-2.0) else channels.repeated(mean, x.dtype)
    totals = np.zeros((len(channels.blocks), channels.channels))
    products = np.zeros_like(totals)

    def block(i: int) -> None:
        for gradient, part in channels.wide(i, dy, x):
            totals[i] += channels.fold(channels.sums(gradient))
            values = part if centre is None else _deviations(part, centre)
            products[i] += channels.fold(column_dots(gradient, values))

    channels.run(block, blas=channels.by_blas)
    total, product = totals.sum(axis=0), products.sum(axis=0)
    return total, (product - total * mean if centre is None else product) * rstd


def _near_zero(mean: np.ndarray, variance: np.ndarray) -> bool:
    """Whether sums of x serve for those of x - mean, of every column; not where squares are out of range or NaN."""
    return bool(((mean**2 <= _NEAR_ZERO**2 * variance) & np.isfinite(variance)).all())


def _deviations(wide: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """wide - centre, in this thread's scratch."""
    deviation = _parallel.scratch("batch_norm", wide.shape, wide.dtype)
    return np.subtract(wide, centre[: wide.shape[1]], out=deviation)


def _affine(x: np.ndarray, y: np.ndarray, scale: np.ndarray, shift: np.ndarray | None) -> None:
    """y = x * scale + shift, by column."""
    if x.size == 0:
        return
    channels = Channels(*x.shape, alone=_ALONE)
    scale = channels.repeated(scale, x.dtype)
    if shift is not None:
        shift = channels.repeated(shift, x.dtype)

    def block(i: int) -> None:
        for part, result in channels.wide(i, x, y):
            width = part.shape[1]
            if shift is None:
                np.multiply(part, scale[:width], out=result)
                continue
            np.multiply(part, scale[:width], out=result)
            np.add(result, shift[:width], out=result)

    channels.run(block, blas=False)


def _combine(
    dy: np.ndarray, x: np.ndarray, dx: np.ndarray, of_x: np.ndarray, constant: np.ndarray, scale: np.ndarray
) -> None:
    """dx = (x * of_x + constant + dy) * scale, by column."""
    if x.size == 0:
        return
    channels = Channels(*x.shape, alone=_ALONE)
    of_x, constant, scale = (channels.repeated(vector, x.dtype) for vector in (of_x, constant, scale))

    def block(i: int) -> None:
        for gradient, part, result in channels.wide(i, dy, x, dx):
            width = part.shape[1]
            np.multiply(part, of_x[:width], out=result)
            np.add(result, constant[:width], out=result)
            np.add(result, gradient, out=result)
            np.multiply(result, scale[:width], out=result)

    channels.run(block, blas=False)


# ---- vectors of C


def _scale_and_shift(
    mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(x - mean) * rstd * weight + bias as x * scale + shift, in float64."""
    scale = rstd if weight is None else rstd * weight
    return scale, -mean * scale if bias is None else bias - mean * scale


def _track(running: np.ndarray, value: np.ndarray, share: float) -> None:
    running[...] = (1 - share) * running.astype(np.float64) + share * value

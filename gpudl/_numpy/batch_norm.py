"""Batch normalisation over the rows of (rows, C), which is channels-last memory of any rank.

Two passes over blocks: sums, then the result. Sums of a block are in the precision of x, and
blocks are merged in order in float64.
"""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._channels import Channels, column_dots
from gpudl._numpy._precision import computed_in_float32

# Elements that are one block: on two threads (32, 64, 8, 8) takes twice and (32, 32, 16, 16) 1.5 times as long, as
# there is little work between a pass's start and the second thread's.
_ALONE = 1 << 18


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
        of_dy = inverse if weight is None else inverse * weight
        of_x = -of_dy * inverse * product / max(len(x), 1)
        constant = -of_dy * total / max(len(x), 1) - of_x * mean
        _combine(dy, x, dx, of_dy, of_x, constant)


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
        total = sum(channels.fold(channels.sums(part)) for (part,) in channels.wide(i, x))
        means[i] = total / channels.count(i)
        centre = channels.repeated(means[i], x.dtype)
        squares[i] = 0
        for (part,) in channels.wide(i, x):
            deviation = _parallel.scratch("batch_norm", part.shape, x.dtype)
            np.subtract(part, centre[: part.shape[1]], out=deviation)
            squares[i] += channels.fold(column_dots(deviation, deviation))

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
    centre = channels.repeated(mean, x.dtype)
    totals = np.zeros((len(channels.blocks), channels.channels))
    products = np.zeros_like(totals)

    def block(i: int) -> None:
        for gradient, part in channels.wide(i, dy, x):
            totals[i] += channels.fold(channels.sums(gradient))
            deviation = _parallel.scratch("batch_norm", part.shape, x.dtype)
            np.subtract(part, centre[: part.shape[1]], out=deviation)
            products[i] += channels.fold(column_dots(gradient, deviation))

    channels.run(block, blas=channels.by_blas)
    return totals.sum(axis=0), products.sum(axis=0) * rstd


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
    dy: np.ndarray, x: np.ndarray, dx: np.ndarray, of_dy: np.ndarray, of_x: np.ndarray, constant: np.ndarray
) -> None:
    """dx = dy * of_dy + x * of_x + constant, by column."""
    if x.size == 0:
        return
    channels = Channels(*x.shape, alone=_ALONE)
    of_dy, of_x, constant = (channels.repeated(vector, x.dtype) for vector in (of_dy, of_x, constant))

    def block(i: int) -> None:
        for gradient, part, result in channels.wide(i, dy, x, dx):
            width = part.shape[1]
            product, other = (
                _parallel.scratch(f"batch_norm{key}", part.shape, x.dtype) for key in ("", " of dy")
            )
            np.multiply(part, of_x[:width], out=product)
            np.add(product, constant[:width], out=product)
            np.multiply(gradient, of_dy[:width], out=other)
            np.add(other, product, out=result)

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

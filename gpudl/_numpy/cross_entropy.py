"""Softmax, cross entropy and its gradient in one pass over blocks of rows."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import computed_in_float32

_BLOCK = 1 << 15  # elements: logits, exponentials and shifted logits of a block in the second-level cache


@computed_in_float32("dx")
def cross_entropy_forward(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    loss: np.ndarray,
    counted: np.ndarray,
    dx: np.ndarray | None,
    *,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    """x : (M, C). target : (M,) int64 or (M, C). loss, counted : (M,). dx : (M, C) of the sum of all rows, or None."""
    rows, classes = x.shape
    weight = np.ones(classes, x.dtype) if weight is None else weight
    if target.ndim == 1:
        require_classes("cross_entropy_forward", target, classes, ignore_index)
    pieces = _parallel.ranges(rows, max(1, _BLOCK // classes))
    share = label_smoothing / classes

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        z = _parallel.scratch("cross_entropy_shifted", x[piece].shape, x.dtype)
        e = _parallel.scratch("cross_entropy_exp", z.shape, x.dtype) if dx is None else dx[piece]
        with np.errstate(all="ignore"):
            np.subtract(x[piece], x[piece].max(axis=1, keepdims=True), out=z)
            np.exp(z, out=e)
            total = e.sum(axis=1)
            if target.ndim == 1:
                wanted = (target[piece], ignore_index, weight, 1 - label_smoothing, share)
                _one_hot(z, e, total, wanted, loss[piece], counted[piece], dx is not None)
            else:
                q = weight * ((1 - label_smoothing) * target[piece] + share)
                mass = q.sum(axis=1)
                loss[piece] = mass * np.log(total) - np.einsum("mc,mc->m", q, z)
                counted[piece] = 1
                if dx is not None:
                    e *= (mass / total)[:, None]
                    e -= q

    _parallel.run(block, len(pieces))


def _one_hot(
    z: np.ndarray,
    e: np.ndarray,
    total: np.ndarray,
    wanted: tuple[np.ndarray, int, np.ndarray, float, float],
    loss: np.ndarray,
    counted: np.ndarray,
    needs_gradient: bool,
) -> None:
    """Loss and gradient of rows with a class index; z = x - max, e = exp(z), total its sum."""
    target, ignore_index, weight, own, share = wanted
    valid = target != ignore_index
    row, column = np.arange(len(z)), np.where(valid, target, 0)
    log_total = np.log(total)
    counted[...] = weight[column] * valid
    loss[...] = own * weight[column] * (log_total - z[row, column])
    mass = own * counted
    if share:
        loss += share * (log_total * weight.sum() - np.einsum("mc,c->m", z, weight))
        mass += share * weight.sum() * valid
    loss[~valid] = 0
    if needs_gradient:
        e *= (mass / total)[:, None]
        if share:
            e -= share * weight
        e[row, column] -= own * counted
        e[~valid] = 0


def require_classes(
    op: str, values: np.ndarray, classes: int, ignore_index: int | None, *, name: str = "target"
) -> None:
    """A CPU reads the indices anyway; a kernel cannot refuse them."""
    wrong = (values < 0) | (values >= classes)
    if wrong.any():
        if ignore_index is not None:
            wrong &= values != ignore_index
        if wrong.any():
            allowed = f"[0, {classes})" + (" or ignore_index" if ignore_index is not None else "")
            raise ValueError(f"{op}: {name} must be in {allowed}, got {values[wrong][0]}")


def loss_reduce(
    loss: np.ndarray, counted: np.ndarray, value: np.ndarray, factor: np.ndarray, *, reduction: int
) -> None:
    """value : (M,) or (1,), factor : (1,), what the reduction multiplies each row with. 0 none, 1 mean, 2 sum."""
    with np.errstate(all="ignore"):
        factor[0] = 1
        if reduction == 0:
            value[...] = loss
            return
        total = loss.sum(dtype=np.float64)
        if reduction == 1:
            mass = counted.sum(dtype=np.float64)
            total = total / mass
            factor[0] = 1 / mass if mass else 0  # nothing counts, so nothing has a gradient
        value[0] = total


def scale_rows(gradient: np.ndarray, factor: np.ndarray, dx: np.ndarray) -> None:
    """dx[m] *= gradient[m] * factor, in place. gradient : (M,) or (1,)."""
    pieces = _parallel.ranges(len(dx), max(1, (_BLOCK * 8) // dx.shape[1]))
    scale = gradient * factor

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        with np.errstate(all="ignore"):
            np.multiply(
                dx[piece], scale if len(scale) == 1 else scale[piece, None], out=dx[piece], casting="unsafe"
            )

    _parallel.run(block, len(pieces))

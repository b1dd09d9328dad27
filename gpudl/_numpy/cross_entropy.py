"""Softmax, cross entropy and its gradient in one pass over blocks of rows."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._elementwise import BLOCK
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.softmax import narrow, oriented, over_rows, scratch, sums


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
    own, share = 1 - label_smoothing, label_smoothing / x.shape[1]
    if target.ndim == 1:
        valid, column = valid_classes("cross_entropy_forward", target, x.shape[1], ignore_index)

    def block(rows: slice) -> None:
        outputs = (loss[rows], counted[rows], None if dx is None else dx[rows])
        if target.ndim == 1:
            kept = None if valid is None else valid[rows]
            _of_indices(x[rows], column[rows], kept, weight, outputs, own, share)
        else:
            _of_probabilities(x[rows], target[rows], weight, outputs, own, share)

    over_rows(block, x, blas=target.ndim == 2 or not narrow(x) or share > 0)


Outputs = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # loss, counted, dx


def _of_indices(
    x: np.ndarray,
    column: np.ndarray,
    valid: np.ndarray | None,
    weight: np.ndarray | None,
    outputs: Outputs,
    own: float,
    share: float,
) -> None:
    """Rows with a class index, of which `own` of the probability is at the index and `share` at every class."""
    loss, counted, dx = outputs
    part, axis = oriented(x)
    z, top = (
        part if axis == 0 else scratch("exponentials", x),
        np.maximum.reduce(part, axis=axis, keepdims=True),
    )
    np.subtract(part, top, out=z)
    place = np.arange(0, x.size, x.shape[1]) + column
    at_column = x.reshape(-1)[place] - top.reshape(-1)
    if share:
        weight = np.ones(x.shape[1], x.dtype) if weight is None else weight
        spread = z @ weight if axis else weight @ z
    e = np.exp(z, out=z)
    total = sums(e, axis)
    log_total = np.log(total).reshape(-1)
    counted[...] = 1 if weight is None else weight[column]
    if valid is not None:
        counted *= valid
    mass = counted if own == 1 else own * counted
    np.multiply(mass, log_total - at_column, out=loss)
    at_index = mass
    if share:
        loss += share * (log_total * weight.sum() - spread)
        mass = mass + share * weight.sum() * (1 if valid is None else valid)
    if valid is not None:
        loss[~valid] = 0
    if dx is None:
        return
    result = dx if axis else e
    np.multiply(e, mass.reshape(total.shape) / total, out=result)
    if share:
        result -= share * (weight if axis else weight[:, None])
    if axis == 0:
        np.copyto(dx, result.T)
    dx.reshape(-1)[place] -= at_index
    if valid is not None:
        dx[~valid] = 0


def _of_probabilities(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray | None, outputs: Outputs, own: float, share: float
) -> None:
    loss, counted, dx = outputs
    z, e, q = (scratch(key, x) for key in ("shifted", "exponentials", "target"))
    np.subtract(x, np.maximum.reduce(x, axis=1, keepdims=True), out=z)
    np.exp(z, out=e)
    total = sums(e, 1)
    np.multiply(target, own, out=q)
    q += share
    if weight is not None:
        q *= weight
    mass = sums(q, 1)
    np.multiply(mass, np.log(total), out=loss[:, None])
    loss -= np.einsum("mc,mc->m", q, z)
    counted[...] = 1
    if dx is not None:
        e *= mass / total
        np.subtract(e, q, out=dx)


def valid_classes(
    op: str, target: np.ndarray, classes: int, ignore_index: int
) -> tuple[np.ndarray | None, np.ndarray]:
    """Which samples count, None where all do, and the class of each, 0 for those that do not."""
    in_range = require_classes(op, target, classes, ignore_index)
    if in_range and not 0 <= ignore_index < classes:
        return None, target
    valid = target != ignore_index
    return valid, np.where(valid, target, 0)


def require_classes(
    op: str, values: np.ndarray, classes: int, ignore_index: int | None, *, name: str = "target"
) -> bool:
    """Refuse what is neither a class nor ignore_index; return whether all are classes.

    A CPU reads the indices anyway; a kernel cannot refuse them.
    """
    unsigned = values.view(np.uint64)  # in which what is negative is large
    if np.maximum.reduce(unsigned, initial=0) < classes:
        return True
    wrong = unsigned >= np.uint64(classes)
    if ignore_index is not None:
        wrong &= values != ignore_index
    if wrong.any():
        allowed = f"[0, {classes})" + (" or ignore_index" if ignore_index is not None else "")
        raise ValueError(f"{op}: {name} must be in {allowed}, got {values[wrong][0]}")
    return False


def loss_reduce(
    loss: np.ndarray, counted: np.ndarray, value: np.ndarray, factor: np.ndarray, *, reduction: int
) -> None:
    """value : (M,) or (1,), factor : (1,), what the reduction multiplies each row with. 0 none, 1 mean, 2 sum."""
    with np.errstate(all="ignore"):
        factor[0] = 1
        if reduction == 0:
            value[...] = loss
            return
        total = np.add.reduce(loss, dtype=np.float64)
        if reduction == 1:
            mass = np.add.reduce(counted, dtype=np.float64)
            # where nothing counts, nothing has a gradient
            total, factor[0] = (total / mass, 1 / mass) if mass else (np.nan, 0)
        value[0] = total


def scale_rows(gradient: np.ndarray, factor: np.ndarray, dx: np.ndarray) -> None:
    """dx[m] *= gradient[m] * factor, in place. gradient : (M,) or (1,)."""
    pieces = _parallel.equal_ranges(len(dx), max(1, BLOCK // dx.shape[1]))
    scale = gradient * factor

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        np.multiply(
            dx[piece], scale if len(scale) == 1 else scale[piece, None], out=dx[piece], casting="unsafe"
        )

    _parallel.run(block, len(pieces), blas=False)

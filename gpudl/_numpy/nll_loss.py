"""Negative log likelihood of rows."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._elementwise import BLOCK, clear
from gpudl._numpy._precision import computed_in_float32
from gpudl._numpy.cross_entropy import valid_classes


@computed_in_float32("dx")
def nll_loss_forward(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None,
    loss: np.ndarray,
    counted: np.ndarray,
    dx: np.ndarray | None,
    *,
    ignore_index: int,
) -> None:
    """x : (M, C). target : (M,). loss, counted : (M,). dx : (M, C), gradient of the sum of all rows, or None."""
    valid, column = valid_classes("nll_loss_forward", target, x.shape[1], ignore_index)
    place = np.arange(0, x.size, x.shape[1]) + column
    counted[...] = 1 if weight is None else weight[column]
    if valid is not None:
        counted *= valid
    with np.errstate(all="ignore"):
        np.multiply(x.reshape(-1)[place], -counted, out=loss)
    if valid is not None:
        loss[~valid] = 0
    if dx is not None:
        _clear(dx)
        dx.reshape(-1)[place] = -counted


def _clear(dx: np.ndarray) -> None:
    """dx = 0."""
    pieces = _parallel.equal_ranges(len(dx), max(1, BLOCK // dx.shape[1]))

    def block(i: int) -> None:
        clear(dx[slice(*pieces[i])])

    _parallel.run(block, len(pieces), blas=False)

"""Stochastic gradient descent: one blocked pass over flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._segments import update_segments


def sgd_step(
    grad: np.ndarray,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    steps: np.ndarray,
    ticket: np.ndarray,
    param: np.ndarray,
    momentum_buffer: np.ndarray | None,
) -> None:
    """segments (n, 3): offset, length, row; hyperparameters (groups, 6); steps (n,): see `gpudl.ops.sgd`.

    ticket : for kernels.
    """
    rows, table = segments[:, 2].tolist(), hyperparameters.tolist()
    if hyperparameters[:, 1].any():  # the first step with momentum fills the buffer
        steps[[row >= 0 and table[row][1] != 0 for row in rows]] += 1
    counts = steps.tolist()

    def update(segment: int, g: np.ndarray, p: np.ndarray, buffer: np.ndarray | None) -> None:
        lr, momentum, dampening, weight_decay, nesterov, maximize = table[rows[segment]]
        k = _parallel.scratch("sgd", g.shape, g.dtype)
        if weight_decay:
            np.multiply(p, weight_decay, out=k)
            direction = (np.subtract if maximize else np.add)(k, g, out=k)
            scale = lr
        else:
            direction, scale = g, -lr if maximize else lr
        if momentum:
            sign = -1.0 if maximize and not weight_decay else 1.0
            direction = _with_momentum(
                direction, buffer, counts[segment], momentum, 1 - dampening, sign, nesterov
            )
            scale = lr
        np.multiply(direction, scale, out=k)
        np.subtract(p, k, out=p)

    update_segments(update, segments, steps, grad, (param, momentum_buffer))


def _with_momentum(
    g: np.ndarray,
    buffer: np.ndarray,
    step: int,
    momentum: float,
    weight: float,
    sign: float,
    nesterov: float,
) -> np.ndarray:
    """buffer = momentum * buffer + weight * sign * g, at the first step sign * g; returns the direction to go.

    `sign` is -1 to go up the gradient; `weight` alone does not tell, it is 0 or negative for much dampening.
    """
    k = _parallel.scratch("sgd momentum", g.shape, g.dtype)
    if step == 1:
        (np.negative if sign < 0 else np.positive)(g, out=buffer)
    else:
        np.multiply(buffer, momentum, out=buffer)
        if weight == 1:
            (np.add if sign > 0 else np.subtract)(buffer, g, out=buffer)
        else:
            np.multiply(g, weight * sign, out=k)
            np.add(buffer, k, out=buffer)
    if not nesterov:
        return buffer
    np.multiply(buffer, momentum, out=k)
    return (np.add if sign > 0 else np.subtract)(k, g, out=k)

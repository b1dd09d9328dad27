"""RMSprop: one blocked pass over flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._lerp import lerp_
from gpudl._numpy._segments import update_segments


def rmsprop_step(
    grad: np.ndarray,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    steps: np.ndarray,
    ticket: np.ndarray,
    param: np.ndarray,
    square_avg: np.ndarray,
    grad_avg: np.ndarray | None,
    momentum_buffer: np.ndarray | None,
) -> None:
    """segments (n, 3): offset, length, row; hyperparameters (groups, 8); steps (n,): see `gpudl.ops.rmsprop`.

    ticket : for kernels.
    """
    rows, table = segments[:, 2].tolist(), hyperparameters.tolist()
    steps[segments[:, 2] >= 0] += 1

    def update(
        segment: int,
        g: np.ndarray,
        p: np.ndarray,
        v: np.ndarray,
        mean: np.ndarray | None,
        buffer: np.ndarray | None,
    ) -> None:
        lr, alpha, eps, weight_decay, momentum, centered, maximize, eps_inside_sqrt = table[rows[segment]]
        k = _parallel.scratch("rmsprop", g.shape, g.dtype)
        if weight_decay:
            decayed = _parallel.scratch("rmsprop gradient", g.shape, g.dtype)
            np.multiply(p, weight_decay, out=decayed)
            g = (np.subtract if maximize else np.add)(decayed, g, out=decayed)
        elif maximize:
            g = np.negative(g, out=_parallel.scratch("rmsprop gradient", g.shape, g.dtype))
        np.multiply(v, alpha, out=v)
        np.multiply(g, g, out=k)
        np.multiply(k, 1 - alpha, out=k)
        np.add(v, k, out=v)
        variance = v
        if centered:
            lerp_(mean, g, 1 - alpha, k)
            np.multiply(mean, mean, out=k)
            variance = np.subtract(v, k, out=k)
        if eps_inside_sqrt:
            np.add(variance, eps, out=k)
            np.sqrt(k, out=k)
        else:
            np.sqrt(variance, out=k)
            np.add(k, eps, out=k)
        np.divide(g, k, out=k)
        if momentum:
            np.multiply(buffer, momentum, out=buffer)
            np.add(buffer, k, out=buffer)
            np.multiply(buffer, lr, out=k)
        else:
            np.multiply(k, lr, out=k)
        np.subtract(p, k, out=p)

    update_segments(update, segments, steps, grad, (param, square_avg, grad_avg, momentum_buffer))

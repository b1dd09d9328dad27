"""Adam and AdamW: one blocked pass over flat arrays."""

from __future__ import annotations

import math

import numpy as np

from gpudl import _parallel
from gpudl._numpy._lerp import lerp_
from gpudl._numpy._segments import update_segments


def adam_step(
    grad: np.ndarray,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    steps: np.ndarray,
    ticket: np.ndarray,
    param: np.ndarray,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    max_exp_avg_sq: np.ndarray | None,
) -> None:
    """segments (n, 3): offset, length, row; hyperparameters (groups, 8); steps (n,): see `gpudl.ops.adam`.

    ticket : for kernels.
    """
    rows = segments[:, 2]
    steps[rows >= 0] += 1
    table, steps_and_rows = hyperparameters.tolist(), list(zip(steps.tolist(), rows.tolist(), strict=True))
    scalars = {(step, row): _scalars(step, *table[row]) for step, row in set(steps_and_rows) if row >= 0}

    def update(
        segment: int, g: np.ndarray, p: np.ndarray, m: np.ndarray, v: np.ndarray, v_max: np.ndarray | None
    ) -> None:
        s = scalars[steps_and_rows[segment]]
        k = _parallel.scratch("adam", g.shape, g.dtype)
        if s["sign"] < 0 or s["l2"]:
            g = _decayed_gradient(g, p, s["sign"], s["l2"])
        if s["shrink"] != 1:
            np.multiply(p, s["shrink"], out=p)
        lerp_(m, g, s["one_minus_beta1"], k)
        np.multiply(v, s["beta2"], out=v)
        np.multiply(g, g, out=k)
        np.multiply(k, s["one_minus_beta2"], out=k)
        np.add(v, k, out=v)
        if s["amsgrad"]:
            np.maximum(v_max, v, out=v_max)
            v = v_max
        # p -= lr/c1 * m / (sqrt(v)/sqrt(c2) + eps), the division by sqrt(c2) taken into the two scalars
        np.sqrt(v, out=k)
        np.add(k, s["eps"], out=k)
        np.divide(m, k, out=k)
        np.multiply(k, s["step_size"], out=k)
        np.subtract(p, k, out=p)

    update_segments(update, segments, steps, grad, (param, exp_avg, exp_avg_sq, max_exp_avg_sq))


def _decayed_gradient(g: np.ndarray, p: np.ndarray, sign: float, l2: float) -> np.ndarray:
    """sign * g + l2 * p in scratch memory."""
    decayed = _parallel.scratch("adam gradient", g.shape, g.dtype)
    if not l2:
        return np.negative(g, out=decayed)
    np.multiply(p, l2, out=decayed)
    return (np.add if sign > 0 else np.subtract)(decayed, g, out=decayed)


def _scalars(
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    amsgrad: float,
    maximize: float,
    decoupled: float,
) -> dict[str, float]:
    root = math.sqrt(1 - beta2**step)
    return {
        "sign": -1.0 if maximize else 1.0,
        "l2": 0.0 if decoupled else weight_decay,
        "shrink": 1 - lr * weight_decay if decoupled else 1.0,
        "one_minus_beta1": 1 - beta1,
        "beta2": beta2,
        "one_minus_beta2": 1 - beta2,
        "amsgrad": amsgrad,
        "eps": eps * root,
        "step_size": lr / (1 - beta1**step) * root,
    }

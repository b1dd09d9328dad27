"""Adam and AdamW: contract of one step over flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _segments

HYPERPARAMETERS = (
    "lr", "beta1", "beta2", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay",
)  # fmt: skip


def adam_step(
    grad: Array,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    param: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None = None,
) -> None:
    """One step of Adam in place, for many tensors in one pass.

    g = grad (maximize: -grad); L2: g += weight_decay * param; decoupled: param *= 1 - lr * weight_decay
    exp_avg    = beta1 * exp_avg    + (1 - beta1) * g
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * g**2;  amsgrad: max_exp_avg_sq = max(itself, exp_avg_sq)
    param -= lr / (1 - beta1**step) * exp_avg / (sqrt(exp_avg_sq or max_exp_avg_sq) / sqrt(1 - beta2**step) + eps)

    Parameters
    ----------
    grad, param, exp_avg, exp_avg_sq : (M,) flat arrays, float16, bfloat16, float32 or float64, NumPy or CuPy.
    max_exp_avg_sq : (M,), or None where no segment has amsgrad.
    segments : (n, 3) int64, NumPy: offset, length and step (the count of this update, from 1) of each span.
    hyperparameters : (n, 8) float64, NumPy, columns `HYPERPARAMETERS`; flags as 0 or 1.

    Raises
    ------
    ValueError : shapes disagree, a segment leaves the arrays or overlaps another, a step is below 1.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    Elements outside all segments are left alone. Half precision is computed in float32 and rounded once when
    stored. Same inputs, same device: same bits. Follows torch.optim.Adam; Kingma and Ba, ICLR 2015.
    """
    op = "adam_step"
    written = {
        "param": param, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq,
    }  # fmt: skip
    executor = _segments.require_flat(op, grad=grad, **written)
    _segments.require_writeable(op, **written)
    _segments.require_table(op, segments, hyperparameters, HYPERPARAMETERS, grad.size)
    if max_exp_avg_sq is None and hyperparameters[:, HYPERPARAMETERS.index("amsgrad")].any():
        raise ValueError(f"{op}: amsgrad needs max_exp_avg_sq, got None")
    executor.adam_step(grad, segments, hyperparameters, param, exp_avg, exp_avg_sq, max_exp_avg_sq)

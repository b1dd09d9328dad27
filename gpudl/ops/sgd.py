"""Stochastic gradient descent: contract of one step over flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _segments

HYPERPARAMETERS = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")


def sgd_step(
    grad: Array,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    param: Array,
    momentum_buffer: Array | None = None,
) -> None:
    """One step of stochastic gradient descent in place, for many tensors in one pass.

    g = grad (maximize: -grad) + weight_decay * param
    momentum: buffer = g at step 1, else momentum * buffer + (1 - dampening) * g
              g = g + momentum * buffer with nesterov, else buffer
    param -= lr * g

    Parameters
    ----------
    grad, param : (M,) flat arrays, float16, bfloat16, float32 or float64, NumPy or CuPy.
    momentum_buffer : (M,), or None where no segment has momentum.
    segments : (n, 3) int64, NumPy: offset, length and step (the count of this update, from 1) of each span.
    hyperparameters : (n, 6) float64, NumPy, columns `HYPERPARAMETERS`; flags as 0 or 1.

    Raises
    ------
    ValueError : shapes disagree, a segment leaves the arrays or overlaps another, a step is below 1.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    Elements outside all segments are left alone. Half precision is computed in float32 and rounded once when
    stored. Same inputs, same device: same bits. Follows torch.optim.SGD.
    """
    op = "sgd_step"
    written = {"param": param, "momentum_buffer": momentum_buffer}
    executor = _segments.require_flat(op, grad=grad, **written)
    _segments.require_writeable(op, **written)
    _segments.require_table(op, segments, hyperparameters, HYPERPARAMETERS, grad.size)
    if momentum_buffer is None and hyperparameters[:, HYPERPARAMETERS.index("momentum")].any():
        raise ValueError(f"{op}: momentum needs momentum_buffer, got None")
    executor.sgd_step(grad, segments, hyperparameters, param, momentum_buffer)

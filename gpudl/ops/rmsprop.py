"""RMSprop: contract of one step over flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _segments

HYPERPARAMETERS = (
    "lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize", "eps_inside_sqrt",
)  # fmt: skip


def rmsprop_step(
    grad: Array,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    param: Array,
    square_avg: Array,
    grad_avg: Array | None = None,
    momentum_buffer: Array | None = None,
) -> None:
    """One step of RMSprop in place, for many tensors in one pass.

    g = grad (maximize: -grad) + weight_decay * param
    square_avg = alpha * square_avg + (1 - alpha) * g**2
    centered: grad_avg = alpha * grad_avg + (1 - alpha) * g; variance = square_avg - grad_avg**2, else square_avg
    d = g / (sqrt(variance) + eps), with eps_inside_sqrt g / sqrt(variance + eps)
    param -= lr * d; with momentum: buffer = momentum * buffer + d; param -= lr * buffer

    Parameters
    ----------
    grad, param, square_avg : (M,) flat arrays, float16, bfloat16, float32 or float64, NumPy or CuPy.
    grad_avg, momentum_buffer : (M,), or None where no segment is centered or has momentum.
    segments : (n, 3) int64, NumPy: offset, length and step (the count of this update, from 1) of each span.
    hyperparameters : (n, 8) float64, NumPy, columns `HYPERPARAMETERS`; flags as 0 or 1.

    Raises
    ------
    ValueError : shapes disagree, a segment leaves the arrays or overlaps another, a step is below 1.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    Elements outside all segments are left alone. Half precision is computed in float32 and rounded once when
    stored. Same inputs, same device: same bits. Follows torch.optim.RMSprop.
    """
    op = "rmsprop_step"
    written = {
        "param": param, "square_avg": square_avg, "grad_avg": grad_avg, "momentum_buffer": momentum_buffer,
    }  # fmt: skip
    executor = _segments.require_flat(op, grad=grad, **written)
    _segments.require_writeable(op, **written)
    _segments.require_table(op, segments, hyperparameters, HYPERPARAMETERS, grad.size)
    for flag, name in (("centered", "grad_avg"), ("momentum", "momentum_buffer")):
        if written[name] is None and hyperparameters[:, HYPERPARAMETERS.index(flag)].any():
            raise ValueError(f"{op}: {flag} needs {name}, got None")
    executor.rmsprop_step(grad, segments, hyperparameters, param, square_avg, grad_avg, momentum_buffer)

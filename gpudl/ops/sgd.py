"""Stochastic gradient descent: contract of one step over flat arrays."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _segments

HYPERPARAMETERS = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")


def sgd_step(
    grad: Array,
    segments: Array,
    hyperparameters: Array,
    steps: Array,
    ticket: Array,
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
    segments : (n, 3) int64: offset, length and row of hyperparameters of each span, in ascending order; row -1 leaves
        it alone.
    hyperparameters : (groups, 6) float64, columns `HYPERPARAMETERS`; flags as 0 or 1.
    steps : (n,) int64, how often each span has been updated; those of spans with momentum are raised by one.
    ticket : (1,) uint32, 0. A CUDA kernel counts its blocks there and leaves it at 0; calls that may run at the same
        time need one each.

    Raises
    ------
    ValueError : shapes disagree, a segment leaves the arrays, overlaps another or precedes the one before, a count is
        below 0, the ticket is not.
    TypeError : a dtype is unsupported, or dtypes or devices differ.

    All arrays are on one device. What a table on a GPU holds is not looked at, so that nothing waits and a graph can
    capture the call: a segment that does not fit there, or needs a state that is None, is left alone, and those out
    of order may be.
    Elements outside all segments are left alone. Half precision is computed in float32 and rounded once when
    stored. Same inputs, same device: same bits. Follows torch.optim.SGD.
    """
    op = "sgd_step"
    written = {"param": param, "momentum_buffer": momentum_buffer}
    tables = {"segments": segments, "hyperparameters": hyperparameters, "steps": steps, "ticket": ticket}
    needs = {"momentum": "momentum_buffer"}
    executor = _segments.require_step(op, HYPERPARAMETERS, grad, tables, written, needs)
    executor.sgd_step(grad, segments, hyperparameters, steps, ticket, param, momentum_buffer)

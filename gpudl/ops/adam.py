"""Adam and AdamW: contract of one step over flat arrays."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _segments

HYPERPARAMETERS = (
    "lr", "beta1", "beta2", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay",
)  # fmt: skip


def adam_step(
    grad: Array,
    segments: Array,
    hyperparameters: Array,
    steps: Array,
    ticket: Array,
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
    segments : (n, 3) int64: offset, length and row of hyperparameters of each span, in ascending order; row -1 leaves
        it alone.
    hyperparameters : (groups, 8) float64, columns `HYPERPARAMETERS`; flags as 0 or 1.
    steps : (n,) int64, how often each span has been updated; raised by one.
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
    stored. Same inputs, same device: same bits. Follows torch.optim.Adam; Kingma and Ba, ICLR 2015.
    """
    op = "adam_step"
    written = {
        "param": param, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq,
    }  # fmt: skip
    tables = {"segments": segments, "hyperparameters": hyperparameters, "steps": steps, "ticket": ticket}
    needs = {"amsgrad": "max_exp_avg_sq"}
    executor = _segments.require_step(op, HYPERPARAMETERS, grad, tables, written, needs)
    executor.adam_step(
        grad, segments, hyperparameters, steps, ticket, param, exp_avg, exp_avg_sq, max_exp_avg_sq
    )

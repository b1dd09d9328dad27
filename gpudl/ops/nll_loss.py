"""Negative log likelihood: contracts."""

from __future__ import annotations

from typing import NamedTuple

from gpudl._backend import Array
from gpudl.ops import _arrays, _class_losses, _losses


class Kept(NamedTuple):
    """What the gradient is made of. It has a single number in each row, so the forward does not write it out."""

    x: Array
    target: Array
    weight: Array | None
    ignore_index: int
    factor: Array


def nll_loss_forward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    needs_gradient: bool = False,
) -> Array | tuple[Array, Kept]:
    """-weight[t] * prediction[t] for the class index t of each sample and position, reduced.

    prediction : (N, C), (N, C, d1, ...) or (C,), logarithms of probabilities; float16, bfloat16, float32 or float64.
    target : class indices of any integer dtype, (N,), (N, d1, ...) or (). weight : (C,), dtype of prediction, or None.
    ignore_index : samples with this index count nothing.
    reduction : "mean" (over the sum of weight[t] of the counted ones), "sum" or "none".
    needs_gradient : True returns (value, kept); kept goes to `nll_loss_backward`.

    Returns shape (), or that of target for "none". Raises ValueError (on NumPy also for an index outside [0, C))
    and TypeError. A mean over nothing, be it that all samples are ignored or that their weights sum to 0, is NaN and
    has a gradient of 0 (PyTorch has NaN where a weight is 0). Follows torch.nn.functional.nll_loss.
    """
    op = "nll_loss_forward"
    executor = _class_losses.checked(op, prediction, target, weight, probabilities=False)
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    ignored = _arrays.integer(op, "ignore_index", ignore_index, minimum=-(1 << 63))
    x, t = _class_losses.rows(prediction), _class_losses.indices(target)
    w = None if weight is None else _arrays.contiguous(weight)
    loss, counted, _ = _class_losses.buffers(x, False)
    executor.nll_loss_forward(x, t, w, loss, counted, None, ignore_index=ignored)
    value, factor = _class_losses.reduced(executor, prediction, loss, counted, reduction)
    return (value, Kept(x, t, w, ignored, factor)) if needs_gradient else value


def nll_loss_backward(kept: Kept, shape: tuple[int, ...], gradient: Array | None = None) -> Array:
    """Gradient of `nll_loss_forward` with respect to prediction.

    kept : what the forward with needs_gradient=True gave; weight must be as it was then.
    shape : that of prediction. gradient : that of the value, its shape, dtype of prediction; None for ones.
    Returns dprediction. Raises ValueError and TypeError for what does not fit.
    """
    op = "nll_loss_backward"
    if not isinstance(kept, Kept):
        raise TypeError(f"{op}: kept must be what the forward gave, got {type(kept).__name__}")
    executor = _arrays.require_floats(op, kept=kept.x)
    loss, counted, dx = _class_losses.buffers(kept.x, True)
    executor.nll_loss_forward(
        kept.x, kept.target, kept.weight, loss, counted, dx, ignore_index=kept.ignore_index
    )
    return _class_losses.backward(op, (dx, kept.factor), shape, gradient)

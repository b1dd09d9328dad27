"""Huber loss: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _losses


def huber_loss_forward(
    prediction: Array,
    target: Array,
    *,
    delta: float = 1.0,
    reduction: str = "mean",
) -> Array:
    """d = |prediction - target|; 0.5 * d**2 where d < delta, else delta * (d - 0.5 * delta); reduced.

    prediction, target : one shape and dtype, float16, bfloat16, float32 or float64, NumPy or CuPy.
    delta : where the parabola ends, > 0.
    reduction : "mean" over all elements, "sum", or "none".

    Returns shape (), or that of prediction for "none"; dtype of prediction. Partial sums in a fixed order.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.huber_loss.
    """
    op = "huber_loss_forward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    delta = _losses.positive(op, "delta", delta)
    extras: dict[str, Array | None] = {}
    return _losses.elementwise_forward(op, prediction, target, extras, reduction, delta=delta)


def huber_loss_backward(
    prediction: Array,
    target: Array,
    gradient: Array | None = None,
    *,
    delta: float = 1.0,
    reduction: str = "mean",
) -> Array:
    """Gradient of `huber_loss_forward` with respect to prediction.

    gradient : that of the value, its shape and dtype; None for ones. The rest as in the forward.
    Returns dprediction, shaped as prediction. Raises as the forward does.
    """
    op = "huber_loss_backward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    delta = _losses.positive(op, "delta", delta)
    extras: dict[str, Array | None] = {}
    return _losses.elementwise_backward(op, prediction, target, extras, gradient, reduction, delta=delta)

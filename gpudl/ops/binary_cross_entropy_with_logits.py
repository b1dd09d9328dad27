"""Binary cross entropy of logits: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _losses


def binary_cross_entropy_with_logits_forward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """weight * ((1 - target) * x + v * (log(1 + exp(-|x|)) + max(-x, 0))), v = 1 + (pos_weight - 1) * target; reduced.

    prediction, target : one shape and dtype, float16, bfloat16, float32 or float64, NumPy or CuPy.
    weight : broadcasts to the shape of prediction, dtype of prediction, or None.
    pos_weight : broadcasts to the shape of prediction, dtype of prediction, or None.
    reduction : "mean" over all elements, "sum", or "none".

    Returns shape (), or that of prediction for "none"; dtype of prediction. Partial sums in a fixed order.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.binary_cross_entropy_with_logits.
    """
    op = "binary_cross_entropy_with_logits_forward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    extras: dict[str, Array | None] = {"weight": weight, "pos_weight": pos_weight}
    return _losses.elementwise_forward(op, prediction, target, extras, reduction)


def binary_cross_entropy_with_logits_backward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    gradient: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """Gradient of `binary_cross_entropy_with_logits_forward` with respect to prediction.

    gradient : that of the value, its shape and dtype; None for ones. The rest as in the forward.
    Returns dprediction, shaped as prediction. Raises as the forward does.
    """
    op = "binary_cross_entropy_with_logits_backward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    extras: dict[str, Array | None] = {"weight": weight, "pos_weight": pos_weight}
    return _losses.elementwise_backward(op, prediction, target, extras, gradient, reduction)

"""Binary cross entropy of probabilities: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _losses


def binary_cross_entropy_forward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """-weight * (target * log(prediction) + (1 - target) * log(1 - prediction)), logarithms at least -100; reduced.

    prediction, target : one shape and dtype, float16, bfloat16, float32 or float64, NumPy or CuPy.
    weight : broadcasts to the shape of prediction, dtype of prediction, or None.
    reduction : "mean" over all elements, "sum", or "none".

    Returns shape (), or that of prediction for "none"; dtype of prediction. Partial sums in a fixed order.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.binary_cross_entropy.
    """
    op = "binary_cross_entropy_forward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    extras: dict[str, Array | None] = {"weight": weight}
    return _losses.elementwise_forward(op, prediction, target, extras, reduction)


def binary_cross_entropy_backward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    gradient: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """Gradient of `binary_cross_entropy_forward` with respect to prediction.

    gradient : that of the value, its shape and dtype; None for ones. The rest as in the forward.
    Returns dprediction, shaped as prediction. Raises as the forward does.
    """
    op = "binary_cross_entropy_backward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    extras: dict[str, Array | None] = {"weight": weight}
    return _losses.elementwise_backward(op, prediction, target, extras, gradient, reduction)

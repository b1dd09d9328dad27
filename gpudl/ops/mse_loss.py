"""Mean squared error: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _losses


def mse_loss_forward(
    prediction: Array,
    target: Array,
    *,
    reduction: str = "mean",
) -> Array:
    """(prediction - target)**2, reduced.

    prediction, target : one shape and dtype, float16, bfloat16, float32 or float64, NumPy or CuPy.
    reduction : "mean" over all elements, "sum", or "none".

    Returns shape (), or that of prediction for "none"; dtype of prediction. Partial sums in a fixed order.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.mse_loss.
    """
    op = "mse_loss_forward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    extras: dict[str, Array | None] = {}
    return _losses.elementwise_forward(op, prediction, target, extras, reduction)


def mse_loss_backward(
    prediction: Array,
    target: Array,
    gradient: Array | None = None,
    *,
    reduction: str = "mean",
) -> Array:
    """Gradient of `mse_loss_forward` with respect to prediction.

    gradient : that of the value, its shape and dtype; None for ones. The rest as in the forward.
    Returns dprediction, shaped as prediction. Raises as the forward does.
    """
    op = "mse_loss_backward"
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    extras: dict[str, Array | None] = {}
    return _losses.elementwise_backward(op, prediction, target, extras, gradient, reduction)

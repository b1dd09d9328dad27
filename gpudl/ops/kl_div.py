"""Kullback-Leibler divergence: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _losses


def kl_div_forward(
    prediction: Array,
    target: Array,
    *,
    log_target: bool = False,
    reduction: str = "mean",
) -> Array:
    """target * (log(target) - prediction), where 0 * log(0) is 0; with log_target exp(target) * (target - prediction).

    prediction, target : one shape and dtype, float16, bfloat16, float32 or float64, NumPy or CuPy.
    prediction holds logarithms of probabilities; target probabilities, or their logarithms with log_target=True.
    reduction : "mean" over all elements, "sum", "batchmean" (sum over N), or "none".

    Returns shape (), or that of prediction for "none"; dtype of prediction. Partial sums in a fixed order.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.kl_div.
    """
    op = "kl_div_forward"
    _arrays.one_of(op, "reduction", reduction, (*_losses.REDUCTIONS, "batchmean"))
    _arrays.one_of(op, "log_target", log_target, (False, True))
    extras: dict[str, Array | None] = {}
    return _losses.elementwise_forward(
        op,
        prediction,
        target,
        extras,
        reduction,
        log_target=log_target,
    )


def kl_div_backward(
    prediction: Array,
    target: Array,
    gradient: Array | None = None,
    *,
    log_target: bool = False,
    reduction: str = "mean",
) -> Array:
    """Gradient of `kl_div_forward` with respect to prediction.

    gradient : that of the value, its shape and dtype; None for ones. The rest as in the forward.
    Returns dprediction, shaped as prediction. Raises as the forward does.
    """
    op = "kl_div_backward"
    _arrays.one_of(op, "reduction", reduction, (*_losses.REDUCTIONS, "batchmean"))
    _arrays.one_of(op, "log_target", log_target, (False, True))
    extras: dict[str, Array | None] = {}
    return _losses.elementwise_backward(
        op,
        prediction,
        target,
        extras,
        gradient,
        reduction,
        log_target=log_target,
    )

"""Negative log likelihood: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _class_losses, _losses


def nll_loss_forward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    needs_gradient: bool = False,
) -> Array | tuple[Array, _class_losses.Kept]:
    """-weight[t] * prediction[t] for the class index t of each sample and position, reduced.

    prediction : (N, C), (N, C, d1, ...) or (C,), logarithms of probabilities; float16, bfloat16, float32 or float64.
    target : class indices of any integer dtype, (N,), (N, d1, ...) or (). weight : (C,), dtype of prediction, or None.
    ignore_index : samples with this index count nothing.
    reduction : "mean" (over the sum of weight[t] of the counted ones), "sum" or "none".
    needs_gradient : True returns (value, kept); kept goes to `nll_loss_backward`.

    Returns shape (), or that of target for "none". Raises ValueError (on NumPy also for an index outside [0, C))
    and TypeError. NaN for a mean over nothing. Follows torch.nn.functional.nll_loss.
    """
    op = "nll_loss_forward"
    executor = _class_losses.checked(op, prediction, target, weight, probabilities=False)
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    ignored = _arrays.integer(op, "ignore_index", ignore_index, minimum=-(1 << 63))
    x = _class_losses.rows(prediction)
    loss, counted, dx = _class_losses.buffers(x, needs_gradient)
    w = None if weight is None else _arrays.contiguous(weight)
    executor.nll_loss_forward(x, _class_losses.indices(target), w, loss, counted, dx, ignore_index=ignored)
    return _class_losses.reduced(executor, prediction, loss, counted, dx, reduction)


def nll_loss_backward(
    kept: _class_losses.Kept, shape: tuple[int, ...], gradient: Array | None = None
) -> Array:
    """Gradient of `nll_loss_forward` with respect to prediction; uses up `kept`.

    kept : what the forward with needs_gradient=True gave; its memory becomes the result.
    shape : that of prediction. gradient : that of the value, its shape, dtype of prediction; None for ones.
    Returns dprediction. Raises ValueError and TypeError for what does not fit.
    """
    return _class_losses.backward("nll_loss_backward", kept, shape, gradient)

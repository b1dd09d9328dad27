"""Softmax and cross entropy in one pass: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays, _class_losses, _losses


def cross_entropy_forward(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    needs_gradient: bool = False,
) -> Array | tuple[Array, _class_losses.Kept]:
    """-sum over c of q[c] * log_softmax(prediction)[c], for each sample and position, reduced.

    q[c] = weight[c] * ((1 - label_smoothing) * t[c] + label_smoothing / C), where t is one-hot for a class index,
    or the given probabilities. Samples whose index is ignore_index count nothing.

    Parameters
    ----------
    prediction : (N, C), (N, C, d1, ...) or (C,), logits; float16, bfloat16, float32 or float64, NumPy or CuPy.
    target : class indices of any integer dtype, (N,), (N, d1, ...) or (); or probabilities, shape and dtype of
        prediction.
    weight : (C,), dtype of prediction, or None.
    ignore_index : an int; below 0 for probabilities, which it does not concern.
    reduction : "mean" (for indices the sum over weight[target] of the counted ones), "sum" or "none".
    label_smoothing : in [0, 1].
    needs_gradient : True also returns what `cross_entropy_backward` takes, made in the same pass.

    Returns
    -------
    value : (), or the shape of the indices for "none"; dtype of prediction. With needs_gradient (value, kept).

    Raises
    ------
    ValueError : shapes or numbers do not fit; on NumPy also an index outside [0, C).
    TypeError : a dtype is unsupported.

    Stable for logits of any size. A mean over nothing, be it that all samples are ignored or that their weights sum to
    0, is NaN and has a gradient of 0 (PyTorch has NaN where a weight is 0). Follows torch.nn.functional.cross_entropy.
    """
    op = "cross_entropy_forward"
    executor = _class_losses.checked(op, prediction, target, weight, probabilities=True)
    _arrays.one_of(op, "reduction", reduction, _losses.REDUCTIONS)
    smoothing = _arrays.real(op, "label_smoothing", label_smoothing, minimum=0, maximum=1)
    ignored = _arrays.integer(op, "ignore_index", ignore_index, minimum=-(1 << 63))
    if target.dtype.kind not in "iu" and ignored >= 0:
        raise ValueError(f"{op}: ignore_index has no meaning for probabilities, got {ignored}")
    x = _class_losses.rows(prediction)
    t = _class_losses.indices(target) if target.dtype.kind in "iu" else _class_losses.rows(target)
    loss, counted, dx = _class_losses.buffers(x, needs_gradient)
    w = None if weight is None else _arrays.contiguous(weight)
    executor.cross_entropy_forward(
        x, t, w, loss, counted, dx, ignore_index=ignored, label_smoothing=smoothing
    )
    value, factor = _class_losses.reduced(executor, prediction, loss, counted, reduction)
    return value if dx is None else (value, (dx, factor))


def cross_entropy_backward(
    kept: _class_losses.Kept, shape: tuple[int, ...], gradient: Array | None = None
) -> Array:
    """Gradient of `cross_entropy_forward` with respect to prediction; uses up `kept`.

    kept : what the forward with needs_gradient=True gave; its memory becomes the result.
    shape : that of prediction. gradient : that of the value, its shape, dtype of prediction; None for ones.
    Returns dprediction. Raises ValueError and TypeError for what does not fit.
    """
    return _class_losses.backward("cross_entropy_backward", kept, shape, gradient)

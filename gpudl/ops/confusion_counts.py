"""How often each class was taken for each class: contract."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _counts


def confusion_counts(
    prediction: Array,
    target: Array,
    num_classes: int,
    *,
    ignore_index: int | None = None,
    add_to: Array | None = None,
) -> Array:
    """counts[t, p] = how many samples of class t were predicted as class p.

    The predicted class of a row of scores is its argmax: the first of equal scores, the first NaN where there is
    one, as in NumPy and PyTorch. So the trace is what `top_k_correct` counts for k = 1.

    Parameters
    ----------
    prediction : (N, C), (N, C, d1, ...) or (C,), scores; float16, bfloat16, float32 or float64, NumPy or CuPy. Or
        class indices of any integer dtype, shape of target.
    target : class indices of any integer dtype, (N,), (N, d1, ...) or ().
    num_classes : C, an int of at least 1.
    ignore_index : samples with this target count nothing; None for no such.
    add_to : (C, C) int64, contiguous, that the counts are added to; None for a new one.

    Returns
    -------
    counts : (C, C) int64, rows are true classes and columns predicted ones; add_to itself where given. It stays
        on the device of prediction, and nothing is read on the host.

    Raises
    ------
    ValueError : shapes or numbers do not fit; on NumPy also a class of a counted sample outside [0, C).
    TypeError : a dtype is unsupported.

    Exact: the same counts for every way of cutting samples into batches.
    """
    op = "confusion_counts"
    executor, x, t = _counts.checked(op, prediction, target)
    classes = _arrays.integer(op, "num_classes", num_classes, minimum=1)
    if x.ndim == 2 and x.shape[1] != classes:
        raise ValueError(
            f"{op}: prediction must have scores of num_classes = {classes} classes, got {x.shape[1]}, "
            f"shape {prediction.shape}"
        )
    ignore = _counts.ignored(op, ignore_index)
    inputs = {"prediction": prediction, "target": target}
    counts = _counts.counter(op, add_to, (classes, classes), np.int64, inputs)
    executor.confusion_counts(x, t, counts, ignore_index=ignore)
    return counts

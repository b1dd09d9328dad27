"""How many samples have their target among the k largest scores: contract."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _counts


def top_k_correct(
    prediction: Array,
    target: Array,
    *,
    k: int,
    ignore_index: int | None = None,
    add_to: Array | None = None,
) -> Array:
    """Count the samples whose target is among the k classes of largest score, and the samples counted.

    A sample is correct when fewer than k classes come before its target, where class c comes before class t if
    score[c] > score[t], or score[c] == score[t] and c < t; NaN is above every number and equal to NaN. For k = 1
    that is argmax(score) == t, as NumPy and PyTorch define argmax. (PyTorch's topk leaves the order of ties open.)

    Parameters
    ----------
    prediction : (N, C), (N, C, d1, ...) or (C,), scores; float16, bfloat16, float32 or float64, NumPy or CuPy. For
        k = 1 also class indices of any integer dtype, shape of target.
    target : class indices of any integer dtype, (N,), (N, d1, ...) or ().
    k : an int in [1, C].
    ignore_index : samples with this target count nothing; None for no such.
    add_to : (2,) int64, contiguous, that the counts are added to; None for a new one.

    Returns
    -------
    counts : (2,) int64, how many are correct and how many were counted; add_to itself where given. It stays on
        the device of prediction, and nothing is read on the host.

    Raises
    ------
    ValueError : shapes or numbers do not fit; on NumPy also a target outside [0, C) that is not ignored.
    TypeError : a dtype is unsupported.

    Exact: the same counts for every way of cutting samples into batches.
    """
    op = "top_k_correct"
    executor, x, t = _counts.checked(op, prediction, target)
    places = _arrays.integer(op, "k", k, minimum=1)
    if x.ndim == 1 and places != 1:
        raise ValueError(f"{op}: k must be 1 for class indices, got {places}")
    if x.ndim == 2 and places > x.shape[1]:
        raise ValueError(f"{op}: k must be at most {x.shape[1]}, the classes of prediction, got {places}")
    ignore = _counts.ignored(op, ignore_index)
    inputs = {"prediction": prediction, "target": target}
    counts = _counts.counter(op, add_to, (2,), np.int64, inputs)
    executor.top_k_correct(x, t, counts, k=places, ignore_index=ignore)
    return counts

"""Samples whose target is among the k largest scores, and the predicted class of rows of scores."""

from __future__ import annotations

import numpy as np

from gpudl import _parallel
from gpudl._numpy._precision import HALF_DTYPES
from gpudl._numpy.cross_entropy import require_classes

_BLOCK = 1 << 16  # elements: scores and two boolean arrays of a block in the second-level cache


def top_k_correct(
    prediction: np.ndarray, target: np.ndarray, counts: np.ndarray, *, k: int, ignore_index: int | None
) -> None:
    """prediction : (M, C) scores, or (M,) int64 for k = 1. target : (M,) int64. counts : (2,) int64, added to."""
    counted = np.ones(len(target), bool) if ignore_index is None else target != ignore_index
    if prediction.ndim == 2:
        require_classes("top_k_correct", target, prediction.shape[1], ignore_index)
    if k == 1:
        correct = (predicted_classes(prediction) == target) & counted
    else:
        correct = _among_largest(prediction, np.where(counted, target, 0), k) & counted
    counts += (np.count_nonzero(correct), np.count_nonzero(counted))


def _among_largest(scores: np.ndarray, target: np.ndarray, k: int) -> np.ndarray:
    """(M,) bool: fewer than k classes come before the target."""
    rows, classes = scores.shape
    among = np.empty(rows, bool)
    pieces = _parallel.ranges(rows, max(1, _BLOCK // classes))
    lower = np.arange(classes)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        x, t = _comparable(scores[piece]), target[piece, None]
        own = np.take_along_axis(x, t, axis=1)
        own_is_nan = np.isnan(own)
        above = ~(x <= own) & ~own_is_nan  # larger or NaN
        equal = (x == own) | (own_is_nan & np.isnan(x))
        among[piece] = np.count_nonzero(above | (equal & (lower < t)), axis=1) < k

    _parallel.run(block, len(pieces), blas=False)
    return among


def predicted_classes(prediction: np.ndarray) -> np.ndarray:
    """The argmax of each row of (M, C) scores; class indices (M,) are what they are."""
    if prediction.ndim == 1:
        return prediction
    rows, classes = prediction.shape
    predicted = np.empty(rows, np.int64)
    pieces = _parallel.ranges(rows, max(1, _BLOCK // classes))

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        np.argmax(_comparable(prediction[piece]), axis=1, out=predicted[piece])

    _parallel.run(block, len(pieces), blas=False)
    return predicted


def _comparable(scores: np.ndarray) -> np.ndarray:
    """Half precision in float32, where comparing is fast; the order is the same."""
    return scores.astype(np.float32) if scores.dtype in HALF_DTYPES else scores

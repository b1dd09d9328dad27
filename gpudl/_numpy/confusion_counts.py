"""How often each class was taken for each class."""

from __future__ import annotations

import numpy as np

from gpudl._numpy.cross_entropy import require_classes
from gpudl._numpy.top_k_correct import predicted_classes


def confusion_counts(
    prediction: np.ndarray, target: np.ndarray, counts: np.ndarray, *, ignore_index: int | None
) -> None:
    """prediction : (M, C) scores or (M,) int64. target : (M,) int64. counts : (C, C) int64, added to."""
    op, classes = "confusion_counts", len(counts)
    require_classes(op, target, classes, ignore_index)
    predicted = predicted_classes(prediction)
    if ignore_index is not None:
        counted = target != ignore_index
        predicted, target = predicted[counted], target[counted]
    require_classes(op, predicted, classes, None, name="prediction")
    # not bincount, which makes a matrix of its own for every batch
    np.add.at(counts.reshape(-1), target * classes + predicted, 1)

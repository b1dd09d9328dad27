"""Metrics of one confusion matrix: the matrix itself, precision, recall and F1."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gpudl import ops
from gpudl._backend import Array
from gpudl.metrics.metric import Accumulator
from gpudl.ops import _arrays, _counts

_NORMALIZATIONS = (None, "true", "pred", "all")
_AVERAGES = ("macro", "micro", "weighted", None)


class ClassScores(NamedTuple):
    """One number for each class."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def class_scores(counts: np.ndarray, zero_division: float) -> ClassScores:
    """Of (C, C) counts, rows true and columns predicted; zero_division is what 0 / 0 gives."""
    hits, true, predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return ClassScores(
        _divided(hits, predicted, zero_division),
        _divided(hits, true, zero_division),
        _divided(2 * hits, true + predicted, zero_division),
        true,
    )


def averaged(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean of what is not NaN; weights that are all zero count as equal ones, as in scikit-learn."""
    defined = ~np.isnan(values)
    values, weights = values[defined], weights[defined]
    if len(values) == 0:
        return math.nan
    return float(np.average(values, weights=weights if weights.any() else None))


def _divided(numerator: np.ndarray, denominator: np.ndarray, zero_division: float) -> np.ndarray:
    result = np.full(numerator.shape, float(zero_division))
    return np.divide(numerator, denominator, out=result, where=denominator != 0)


class _OfConfusion(Accumulator):
    """A metric whose state is the counts of `gpudl.ops.confusion_counts`."""

    def __init__(self, num_classes: int, ignore_index: int | None):
        name = type(self).__name__
        self.num_classes = _arrays.integer(name, "num_classes", num_classes, minimum=1)
        self.ignore_index = _counts.ignored(name, ignore_index)
        super().__init__((self.num_classes, self.num_classes), np.int64)

    def update(self, prediction: Array, target: Array) -> None:
        """prediction : (N, C, ...) scores, or class indices as target. target : (N, ...) indices."""
        ops.confusion_counts(
            prediction, target, self.num_classes,
            ignore_index=self.ignore_index, add_to=self._total_beside(prediction),
        )  # fmt: skip


class ConfusionMatrix(_OfConfusion):
    """matrix[t, p] = how many samples of class t were predicted as class p.

    num_classes : C. normalize : None for counts; "true" divides by the samples of each true class (rows sum to 1),
    "pred" by those of each predicted class, "all" by all samples. ignore_index : samples with this target count
    nothing; None for no such. Follows sklearn.metrics.confusion_matrix.
    """

    def __init__(self, num_classes: int, normalize: str | None = None, ignore_index: int | None = None):
        _arrays.one_of("ConfusionMatrix", "normalize", normalize, _NORMALIZATIONS)
        self.normalize = normalize
        super().__init__(num_classes, ignore_index)

    def compute(self) -> np.ndarray:
        """(C, C) int64, or float64 where normalised; 0 for a share of nothing."""
        counts = np.array(self._read())
        if self.normalize is None:
            return counts
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        return _divided(counts, np.broadcast_to(counts.sum(axis=axis, keepdims=True), counts.shape), 0)


class _Score(_OfConfusion):
    """One of the scores of each class, averaged."""

    _score: str

    def __init__(
        self,
        num_classes: int,
        average: str | None = "macro",
        zero_division: float = 0,
        ignore_index: int | None = None,
    ):
        name = type(self).__name__
        _arrays.one_of(name, "average", average, _AVERAGES)
        if isinstance(zero_division, bool) or not isinstance(zero_division, int | float):
            raise TypeError(f"{name}: zero_division must be a number, got {type(zero_division).__name__}")
        if zero_division not in (0, 1) and not math.isnan(zero_division):
            raise ValueError(f"{name}: zero_division must be 0, 1 or nan, got {zero_division}")
        self.average = average
        self.zero_division = float(zero_division)
        super().__init__(num_classes, ignore_index)

    def compute(self) -> float | np.ndarray:
        """A float, or (C,) float64 for average=None."""
        counts = self._read()
        if self.average == "micro":
            # every wrong sample is missed by one class and claimed by another: all three are the accuracy
            total, hits = counts.sum(), np.trace(counts)
            return float(hits / total) if total else self.zero_division
        scores = class_scores(counts, self.zero_division)
        values = getattr(scores, self._score)
        if self.average is None:
            return values
        return averaged(values, scores.support if self.average == "weighted" else np.ones(len(values)))


class Precision(_Score):
    """Of the samples predicted as a class, the share that is of it: tp / (tp + fp).

    num_classes : C. average : "macro" mean over classes, "weighted" by samples of each, "micro" over all samples at
    once, None for each class. zero_division : 0, 1 or nan, for a class that is never predicted; nan is left out of
    averages. ignore_index : samples with this target count nothing. Follows sklearn.metrics.precision_score with
    labels=range(C).
    """

    _score = "precision"


class Recall(_Score):
    """Of the samples of a class, the share predicted as it: tp / (tp + fn).

    The arguments are those of `Precision`; zero_division is for a class without samples. Follows
    sklearn.metrics.recall_score with labels=range(C).
    """

    _score = "recall"


class F1Score(_Score):
    """The harmonic mean of precision and recall of each class: 2 tp / (2 tp + fp + fn).

    The arguments are those of `Precision`; zero_division is for a class without samples that is never predicted.
    Follows sklearn.metrics.f1_score with labels=range(C).
    """

    _score = "f1"

"""Means over samples: of any value, of a loss, of errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gpudl import ops
from gpudl._backend import Array
from gpudl._grad_mode import no_grad
from gpudl.metrics.metric import Accumulator
from gpudl.ops import _arrays


class _Average(Accumulator):
    """Sum and count in float64, by `gpudl.ops.sum_and_count`."""

    def __init__(self) -> None:
        super().__init__((2,), np.float64)

    def compute(self) -> float:
        """NaN where nothing was counted."""
        total, count = self._read().tolist()
        return total / count if count else math.nan

    def _add(self, values: Array | float, weight: float = 1.0) -> None:
        if isinstance(values, int | float | np.number) and not isinstance(values, bool):
            values = np.asarray(values, np.float64)
        ops.sum_and_count(values, weight=weight, add_to=self._total_beside(values))


class Mean(_Average):
    """The weighted mean of values, summed in float64 in the order in which they come.

    The mean loss of an epoch is the mean over its batches, each weighted with its samples:
    `mean.update(loss, weight=len(target))`. It takes values instead of (prediction, target).
    """

    def update(self, value: Array | float, weight: float = 1.0) -> None:
        """value : an array of any shape, or a number. weight : what each of its elements counts, >= 0."""
        self._add(value, weight)


class MeanLoss(_Average):
    """The mean of a criterion over samples.

    criterion : a loss with reduction="mean", "batchmean" or "none", or any function of (prediction, target). A value
    of shape () is taken for the mean of a batch and weighted with its samples; of an array each element counts.

    It calls the criterion, which then has no backward any more: call that first, or give a criterion of its own.
    """

    def __init__(self, criterion: Callable[[Array, Array], Array]):
        if not callable(criterion):
            raise TypeError(f"MeanLoss: criterion must be callable, got {type(criterion).__name__}")
        if getattr(criterion, "reduction", None) == "sum":
            raise ValueError(
                "MeanLoss: criterion must have reduction 'mean', 'batchmean' or 'none', got 'sum'"
            )
        self.criterion = criterion
        super().__init__()

    def update(self, prediction: Array, target: Array) -> None:
        """prediction, target : what the criterion takes, samples along the first axis of target."""
        _arrays.require_arrays("MeanLoss", prediction=prediction, target=target)
        if target.ndim == 0:
            raise ValueError("MeanLoss: target must have an axis of samples, got shape ()")
        if len(target) == 0:
            return  # the mean of an empty batch is NaN
        with no_grad():
            value = self.criterion(prediction, target)
        self._add(value, len(target) if np.ndim(value) == 0 else 1)


class _Error(_Average):
    """A mean over all elements of a function of the difference."""

    @staticmethod
    def _of(difference: Array) -> Array:
        raise NotImplementedError

    def update(self, prediction: Array, target: Array) -> None:
        """prediction, target : one shape (N, ...) and floating dtype."""
        name = type(self).__name__
        _arrays.require_floats(name, prediction=prediction, target=target)
        _arrays.require_shape(name, "target", target, prediction.shape, "that of prediction")
        with np.errstate(all="ignore"):
            difference = prediction.astype(np.float64) - target.astype(np.float64)
            self._add(self._of(difference))


class MeanSquaredError(_Error):
    """The mean over all elements of (prediction - target)**2, in float64. Follows sklearn.metrics."""

    @staticmethod
    def _of(difference: Array) -> Array:
        return difference * difference


class MeanAbsoluteError(_Error):
    """The mean over all elements of |prediction - target|, in float64. Follows sklearn.metrics."""

    @staticmethod
    def _of(difference: Array) -> Array:
        return abs(difference)

"""The share of samples whose class is among the best guesses."""

from __future__ import annotations

import math

import numpy as np

from gpudl import ops
from gpudl._backend import Array
from gpudl.metrics.metric import Accumulator
from gpudl.ops import _arrays, _counts


class Accuracy(Accumulator):
    """correct / counted. A sample is correct when its target is among the top_k largest scores.

    top_k : an int of at least 1. ignore_index : samples with this target count nothing; None for no such.
    Ties and NaN: as in `gpudl.ops.top_k_correct`.
    """

    def __init__(self, top_k: int = 1, ignore_index: int | None = None):
        self.top_k = _arrays.integer("Accuracy", "top_k", top_k, minimum=1)
        self.ignore_index = _counts.ignored("Accuracy", ignore_index)
        super().__init__((2,), np.int64)

    def update(self, prediction: Array, target: Array) -> None:
        """prediction : (N, C, ...) scores, or class indices as target for top_k=1. target : (N, ...) indices."""
        ops.top_k_correct(
            prediction, target,
            k=self.top_k, ignore_index=self.ignore_index, add_to=self._total_beside(prediction),
        )  # fmt: skip

    def compute(self) -> float:
        """In [0, 1]; NaN where nothing was counted."""
        correct, counted = self._read().tolist()
        return correct / counted if counted else math.nan

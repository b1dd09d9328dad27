"""What an operator of a step reads beside the flat arrays, on their device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.optim._flat_store import FlatStore


class StepTables:
    """Where the parameters of a store lie, their groups' hyperparameters, and how often each has been updated.

    A step sends nothing but what has changed since the one before, in place, and the operator counts: so a step that
    was captured in a CUDA graph goes on by itself.
    """

    def __init__(self, store: FlatStore, groups: int, columns: int):
        xp = _backend.array_module(store.data)
        self._segments = np.array([(slot.offset, slot.size, -1) for slot in store.slots], np.int64)
        self._rows: list[int] = [-1] * len(store.slots)
        self._values: list[list[float]] = []
        self.segments = xp.asarray(self._segments.copy())
        self.hyperparameters = xp.zeros((groups, columns))
        self.steps = xp.zeros(len(store.slots), np.int64)
        self.ticket = xp.zeros(1, np.uint32)

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """As the operators take them, after grad."""
        return self.segments, self.hyperparameters, self.steps, self.ticket

    def update(self, rows: list[int], values: list[list[float]]) -> None:
        """rows : for each slot its group, or -1 to leave it alone; values : the hyperparameters of each group."""
        xp = _backend.array_module(self.steps)
        if rows != self._rows:
            self._segments[:, 2] = rows
            self.segments[...] = xp.asarray(self._segments)
            self._rows = rows
        if values != self._values:
            self.hyperparameters[...] = xp.asarray(np.array(values))
            self._values = values

    def counts(self) -> list[int]:
        """The updates of each slot; waits for the device."""
        return _backend.move(self.steps, "cpu").tolist()

    def set_counts(self, counts: Sequence[int]) -> None:
        self.steps[...] = _backend.array_module(self.steps).asarray(np.array(counts, np.int64))

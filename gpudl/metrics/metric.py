"""What a metric is, and the base of those here: one array that batches are added to."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from gpudl import _backend
from gpudl._backend import Array


@runtime_checkable
class Metric(Protocol):
    """What training asks of a metric; any object with these methods is one.

    reset() forgets all batches, update(prediction, target) takes one more, compute() gives the value over all since
    the reset. state_dict() gives plain numbers and NumPy arrays; another object that loads them goes on as this one
    would, to the bit.
    """

    def reset(self) -> None: ...

    def update(self, prediction: Array, target: Array) -> None: ...

    def compute(self) -> float | np.ndarray: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Accumulator:
    """The state of a metric in one array, on the device of the batches; a host reads it in `_read` alone."""

    def __init__(self, shape: tuple[int, ...], dtype: type):
        self._total: Array = np.zeros(shape, dtype)

    def reset(self) -> None:
        """Forget all batches."""
        self._total[...] = 0

    def state_dict(self) -> dict[str, np.ndarray]:
        """{"total": a copy of what was accumulated}."""
        return {"total": np.array(self._read())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the metric that gave `state` was; ValueError or TypeError for what does not fit."""
        name = f"{type(self).__name__}.load_state_dict"
        if set(state) != {"total"}:
            raise ValueError(f"{name}: state must have the key 'total' alone, got {sorted(state)}")
        total, own = state["total"], self._total
        if not isinstance(total, np.ndarray) or total.dtype != own.dtype:
            kind = getattr(total, "dtype", type(total).__name__)
            raise TypeError(f"{name}: total must be a NumPy array of {own.dtype}, got {kind}")
        if total.shape != own.shape:
            raise ValueError(f"{name}: total must have shape {own.shape}, got {total.shape}")
        self._total = total.copy()

    def _total_beside(self, batch: Array) -> Array:
        """The array to add to; it goes to the device with the first batch that is there."""
        if _backend.is_cupy(batch) and not _backend.is_cupy(self._total):
            self._total = _backend.move(self._total, "cuda")
        return self._total

    def _read(self) -> np.ndarray:
        return _backend.move(self._total, "cpu")

"""Exponential moving average of a model's parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class EMA:
    """average = d * average + (1 - d) * parameter after every step; buffers stay the model's own.

    model : its parameters are averaged, in float32 where they are half precision.
    decay : d, in [0, 1]. warmup : d = min(decay, (1 + n) / (10 + n)) at update n, so that the start is forgotten.
    Polyak and Juditsky, 1992.
    """

    def __init__(self, model: Module, decay: float = 0.999, warmup: bool = False):
        if not isinstance(model, Module):
            raise TypeError(f"EMA: model must be a Module, got {type(model).__name__}")
        self.decay = _arrays.real("EMA", "decay", decay, minimum=0, maximum=1)
        _arrays.one_of("EMA", "warmup", warmup, (False, True))
        self.warmup = bool(warmup)
        self.updates = 0
        self._parameters = dict(model.named_parameters())
        self._averages = {name: _wide_copy(p.data) for name, p in self._parameters.items()}

    def update(self) -> None:
        """Move the averages; call it after the optimizer's step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        for name, parameter in self._parameters.items():
            average = self._averages[name]
            values = _arrays.same_storage_as(average, parameter.data)
            ops.flat_average(_arrays.flat(values), _arrays.flat(average), decay=decay)
        self.updates += 1

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the model has the averages; afterwards its own parameters, whatever happened."""
        own = {name: parameter.data.copy() for name, parameter in self._parameters.items()}
        try:
            for name, parameter in self._parameters.items():
                parameter.data[...] = self._averages[name]
            yield
        finally:
            for name, parameter in self._parameters.items():
                parameter.data[...] = own[name]

    def state_dict(self) -> dict[str, Any]:
        """{"updates": count, "averages": {name: array}}. Arrays are not copied."""
        return {"updates": self.updates, "averages": dict(self._averages)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the EMA that gave `state` was; ValueError that lists what does not fit, nothing changed."""
        if set(state) != {"updates", "averages"}:
            raise ValueError(
                f"EMA.load_state_dict: state must have the keys updates and averages, got {sorted(state)}"
            )
        averages = state["averages"]
        problems = [f"missing {name}" for name in sorted(set(self._averages) - set(averages))]
        problems += [f"unexpected {name}" for name in sorted(set(averages) - set(self._averages))]
        problems += [
            f"misshapen {name}: expected {average.shape}, got {np.shape(averages[name])}"
            for name, average in self._averages.items()
            if name in averages and np.shape(averages[name]) != average.shape
        ]
        if problems:
            raise ValueError("EMA.load_state_dict: " + "; ".join(problems))
        updates = _arrays.integer("EMA.load_state_dict", "updates", state["updates"], minimum=0)
        for name, average in self._averages.items():
            average[...] = averages[name]
        self.updates = updates


def _wide_copy(data: Array) -> Array:
    dense = _arrays.dense(data)
    return dense.astype(np.float64 if data.dtype == np.float64 else np.float32, order="K", copy=True)

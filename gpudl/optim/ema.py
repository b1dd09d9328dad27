"""Exponential moving average of a model's parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gpudl import _backend, ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays
from gpudl.optim._flat_store import Slot, memory_order, slot_offsets


class _Average(NamedTuple):
    """One average: `view` has the parameter's shape and memory order, its memory starts at `offset` of `flat`."""

    view: Array
    flat: Array
    offset: int
    order: list[int]


class EMA:
    """average = d * average + (1 - d) * parameter after every step; buffers stay the model's own.

    model : its parameters are averaged, in float32 where they are half precision.
    decay : d, in [0, 1]. warmup : d = min(decay, (1 + n) / (10 + n)) at update n, so that the start is forgotten.

    Averages lie in memory as an optimizer's flat store has the parameters, so that one that was made from the model's
    parameters in their order is averaged in one pass. Polyak and Juditsky, 1992.
    """

    def __init__(self, model: Module, decay: float = 0.999, warmup: bool = False):
        if not isinstance(model, Module):
            raise TypeError(f"EMA: model must be a Module, got {type(model).__name__}")
        self.decay = _arrays.real("EMA", "decay", decay, minimum=0, maximum=1)
        _arrays.one_of("EMA", "warmup", warmup, (False, True))
        self.warmup = bool(warmup)
        self._start(dict(model.named_parameters()))

    def _start(self, parameters: dict[str, Parameter]) -> None:
        self.updates = 0
        self._parameters = parameters
        self._averages = _averages(parameters)

    def update(self) -> None:
        """Move the averages; call it after the optimizer's step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        for values, average in self._spans():
            ops.flat_average(values, average, decay=decay)
        self.updates += 1

    def _spans(self) -> Iterator[tuple[Array, Array]]:
        """Flat parameters and their flat averages, joined where both follow each other at the same distance."""
        source = target = None
        start = shift = stop = 0
        for name, parameter in self._parameters.items():
            average, slot = self._averages[name], parameter._slot
            stored = isinstance(slot, Slot) and slot.order == average.order
            flat = slot.store.data if stored else _flat(parameter.data, average.order)
            offset = slot.offset if stored else 0
            if flat is not source or average.flat is not target or offset - average.offset != shift:
                if source is not None:
                    yield source[start + shift : stop + shift], target[start:stop]
                source, target, start, shift = flat, average.flat, average.offset, offset - average.offset
            stop = average.offset + parameter.size
        if source is not None:
            yield source[start + shift : stop + shift], target[start:stop]

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the model has the averages; afterwards its own parameters, whatever happened."""
        own = {name: _backend.bits(parameter.data).copy() for name, parameter in self._parameters.items()}
        try:
            for name, parameter in self._parameters.items():
                average = self._averages[name].view
                _arrays.write(parameter.data, _arrays.converted(average, parameter.dtype))
            yield
        finally:
            for name, parameter in self._parameters.items():
                _backend.bits(parameter.data)[...] = own[name]

    def state_dict(self) -> dict[str, Any]:
        """{"updates": count, "averages": {name: array}}. Arrays are not copied."""
        views = {name: average.view for name, average in self._averages.items()}
        return {"updates": self.updates, "averages": views}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the EMA that gave `state` was; ValueError that lists what does not fit, nothing changed."""
        if set(state) != {"updates", "averages"}:
            raise ValueError(
                f"EMA.load_state_dict: state must have the keys updates and averages, got {sorted(state)}"
            )
        averages = {name: _backend.as_array(value) for name, value in state["averages"].items()}
        problems = [f"missing {name}" for name in sorted(set(self._averages) - set(averages))]
        problems += [f"unexpected {name}" for name in sorted(set(averages) - set(self._averages))]
        problems += [
            f"misshapen {name}: expected {average.view.shape}, got {averages[name].shape}"
            for name, average in self._averages.items()
            if name in averages and averages[name].shape != average.view.shape
        ]
        problems += [
            f"non-numeric {name}: {averages[name].dtype}"
            for name in self._averages
            if name in averages and not _arrays.is_real(averages[name].dtype)
        ]
        if problems:
            raise ValueError("EMA.load_state_dict: " + "; ".join(problems))
        updates = _arrays.integer("EMA.load_state_dict", "updates", state["updates"], minimum=0)
        for name, average in self._averages.items():
            average.view[...] = _backend.move_beside(averages[name], average.view)
        self.updates = updates

    def __reduce__(self) -> tuple[Any, ...]:
        """`pickle` and `copy.deepcopy` make one of its own, over the parameters of a model that goes along with it."""
        return _remade, (self._parameters, self.decay, self.warmup, self.state_dict())


def _remade(parameters: dict[str, Parameter], decay: float, warmup: bool, state: dict[str, Any]) -> EMA:
    """Averages out of a pickle or a copy."""
    ema = object.__new__(EMA)
    ema.decay, ema.warmup = decay, warmup
    ema._start(parameters)
    ema.load_state_dict(state)
    return ema


def _averages(parameters: dict[str, Parameter]) -> dict[str, _Average]:
    """Copies of the parameters, float32 for half precision, those of one dtype in one flat array with gaps of zeros."""
    made = {}
    for dtype in {parameter.dtype: None for parameter in parameters.values()}:
        members = {name: parameter for name, parameter in parameters.items() if parameter.dtype == dtype}
        offsets, total = slot_offsets(list(members.values()))
        like = next(iter(members.values())).data
        flat = _arrays.empty((total,), np.dtype(np.float64 if dtype == np.float64 else np.float32), like=like)
        flat[...] = 0
        for (name, parameter), offset in zip(members.items(), offsets, strict=True):
            order = memory_order(parameter.data)
            memory = flat[offset : offset + parameter.size].reshape([parameter.shape[axis] for axis in order])
            view = memory.transpose(np.argsort(order).tolist())
            view[...] = _arrays.converted(parameter.data, view.dtype)
            made[name] = _Average(view, flat, offset, order)
    return made


def _flat(data: Array, order: list[int]) -> Array:
    return _arrays.contiguous(data.transpose(order)).reshape(-1)

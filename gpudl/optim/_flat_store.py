"""One array for all parameters of a dtype, one for their gradients, one for each kind of state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays

ALIGNMENT = 256  # bytes; a slot starts at a multiple of it


class Slot:
    """The place of one parameter: `data` and `grad` are views that share the store's memory and keep its order."""

    __slots__ = ("data", "grad", "offset", "order", "parameter", "size", "store")

    def __init__(self, store: FlatStore, parameter: Parameter, offset: int):
        self.store = store
        self.parameter = parameter
        self.offset = offset
        self.size = parameter.size
        self.order = memory_order(parameter.data)
        self.data = self.view(store.data)
        self.grad = self.view(store.grad)

    def span(self, flat: Array) -> Array:
        """This parameter's elements of a flat array of the store."""
        return flat[self.offset : self.offset + self.size]

    def view(self, flat: Array) -> Array:
        """The same, with the parameter's shape and memory order."""
        shape = self.parameter.shape
        memory = self.span(flat).reshape([shape[axis] for axis in self.order])
        return memory.transpose(np.argsort(self.order).tolist())

    @property
    def held(self) -> bool:
        """False once another optimizer has taken the parameter."""
        return self.parameter._slot is self


class FlatStore:
    """Parameters of one dtype and device, each in a slot; what lies between slots stays zero."""

    def __init__(self, parameters: Sequence[Parameter]):
        first = parameters[0].data
        offsets, self.total = slot_offsets(parameters)
        self._like = first
        self.data = self.zeros()
        self.grad = self.zeros()
        self.slots = [Slot(self, p, offset) for p, offset in zip(parameters, offsets, strict=True)]
        for slot in self.slots:
            slot.parameter.bind(slot)
        self.states: dict[str, Array] = {}

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    def state(self, name: str) -> Array:
        """The flat array of one kind of state, zeros when it is first asked for."""
        if name not in self.states:
            self.states[name] = self.zeros()
        return self.states[name]

    def zeros(self) -> Array:
        """A flat array of the store's length whose first byte is aligned as the slots are."""
        if _backend.is_cupy(self._like):
            return _backend.array_module(self._like).zeros(self.total, self._like.dtype)
        itemsize = self._like.dtype.itemsize
        memory = np.zeros(self.total * itemsize + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        return memory[start : start + self.total * itemsize].view(self._like.dtype)


def make_stores(parameters: Sequence[Parameter]) -> list[FlatStore]:
    """One store for each dtype and device, in the order of the first parameter of each."""
    kinds: dict[tuple[np.dtype, bool], list[Parameter]] = {}
    for parameter in parameters:
        kinds.setdefault((parameter.dtype, _backend.is_cupy(parameter.data)), []).append(parameter)
    return [FlatStore(members) for members in kinds.values()]


def slot_offsets(parameters: Sequence[Parameter]) -> tuple[list[int], int]:
    """Where the slots of parameters of one dtype start, in elements, and where the last one ends."""
    offsets, total = [], 0
    for parameter in parameters:
        step = ALIGNMENT // parameter.dtype.itemsize
        offsets.append(total)
        total += -(-parameter.size // step) * step
    return offsets, total


def memory_order(array: Array) -> list[int]:
    """Axes from the slowest to the fastest in memory; C order for arrays with gaps or without elements."""
    order = _backend.axes_in_memory(array)
    if array.size and array.transpose(order).flags.c_contiguous:
        return order
    return list(range(array.ndim))


def grad_spans(parameters: Sequence[Parameter]) -> list[Array]:
    """The gradients that are there, each as flat memory that writing changes in place."""
    spans = []
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is None:
            continue
        slot = parameter._slot
        if isinstance(slot, Slot) and gradient is slot.grad:
            spans.append(slot.span(slot.store.grad))
            continue
        order = memory_order(gradient)
        if not gradient.transpose(order).flags.c_contiguous:
            parameter.grad = gradient = _arrays.contiguous(gradient)
            order = list(range(gradient.ndim))
        spans.append(gradient.transpose(order).reshape(-1))
    return spans

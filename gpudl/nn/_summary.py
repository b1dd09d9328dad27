"""The table behind `Module.summary`: what each layer puts out, holds and computes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from gpudl import _backend
from gpudl._grad_mode import no_grad
from gpudl.nn.module import Module
from gpudl.ops import _arrays

_HEADER = ("layer", "output shape", "parameters", "FLOPs", "bytes")


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One call of one layer.

    name : as in `named_modules`. type : its class. output_shape : with the batch dimension.
    parameters : elements it holds itself, 0 where an earlier row has counted them.
    flops : of its forward, two for each multiply-add of a product. bytes : of its output.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    flops: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """Rows in the order of the calls, and totals.

    parameters, trainable : elements of all parameters, and of those with requires_grad.
    state_bytes : of parameters and buffers. flops and output_bytes are the sums over the rows; output_bytes
    is what a training forward keeps at most.
    """

    rows: tuple[LayerSummary, ...]
    input_shape: tuple[int, ...]
    parameters: int
    trainable: int
    state_bytes: int

    @property
    def flops(self) -> int:
        return sum(row.flops for row in self.rows)

    @property
    def output_bytes(self) -> int:
        return sum(row.bytes for row in self.rows)

    def __str__(self) -> str:
        lines = [_HEADER]
        for row in self.rows:
            label = f"{row.name} {row.type}" if row.name else row.type
            numbers = (f"{row.parameters:,}", _scaled(row.flops, 1000), _scaled(row.bytes, 1024, "B"))
            lines.append((label, str(row.output_shape), *numbers))
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADER))]
        table = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
        table.insert(1, "-" * len(table[0]))
        return "\n".join(
            [
                *table,
                f"parameters: {self.parameters:,} ({self.trainable:,} trainable), "
                f"{_scaled(self.state_bytes, 1024, 'B')} with buffers",
                f"input {self.input_shape}: {_scaled(self.flops, 1000)} FLOPs of products, "
                f"{_scaled(self.output_bytes, 1024, 'B')} of outputs",
            ]
        )


def summarize(model: Module, input_shape: tuple[int, ...]) -> Summary:
    """See `Module.summary`."""
    if not isinstance(input_shape, tuple | list):
        raise TypeError(f"summary: input_shape must be a tuple of ints, got {type(input_shape).__name__}")
    shape = tuple(_arrays.integer("summary", "input_shape", extent, minimum=1) for extent in input_shape)
    rows = _rows(model, _zeros(model, shape))
    state = {id(array): array for array in model.state_dict().values()}  # once, also where it is shared
    return Summary(
        rows=tuple(rows),
        input_shape=shape,
        parameters=sum(parameter.size for parameter in model.parameters()),
        trainable=sum(p.size for p in model.parameters() if p.requires_grad),
        state_bytes=sum(array.nbytes for array in state.values()),
    )


def _zeros(model: Module, shape: tuple[int, ...]) -> Any:
    """Zeros of the dtype and device of the first parameter, or where there is none of the first floating buffer."""
    buffers = (buffer for buffer in model.buffers() if buffer.dtype in _arrays.FLOAT_DTYPES)
    first = next(itertools.chain((p.data for p in model.parameters()), buffers), None)
    if first is None:
        return np.zeros(shape, np.float32)
    return _backend.array_module(first).zeros(shape, first.dtype)


def _rows(model: Module, x: Any) -> list[LayerSummary]:
    """One forward with the `forward` of every layer without children replaced by one that takes notes."""
    rows: list[LayerSummary] = []
    counted: set[int] = set()
    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    modes = [(module, module.training) for module in model.modules()]
    for name, module in leaves:
        object.__setattr__(module, "forward", _noting(name, module, rows, counted))
    try:
        with no_grad():
            model.eval()(x)
    finally:
        for _, module in leaves:
            del module.__dict__["forward"]
        for module, training in modes:
            module.training = training
    return rows


def _noting(name: str, module: Module, rows: list[LayerSummary], counted: set[int]) -> Callable[..., Any]:
    forward = module.forward

    def noting(x: Any, *rest: Any, **keywords: Any) -> Any:
        y = forward(x, *rest, **keywords)
        first = y[0] if isinstance(y, tuple) else y
        fresh = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(id(parameter) for parameter in fresh)
        rows.append(
            LayerSummary(
                name=name,
                type=type(module).__name__,
                output_shape=first.shape,
                parameters=sum(parameter.size for parameter in fresh),
                flops=module.forward_flops(x.shape, first.shape),
                bytes=first.nbytes,
            )
        )
        return y

    return noting


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        text.ljust(w) if i < 2 else text.rjust(w)
        for i, (text, w) in enumerate(zip(line, widths, strict=True))
    ]


def _scaled(number: float, step: int, unit: str = "") -> str:
    """1234567 as "1.23 M", or with step 1024 and unit B as "1.18 MiB"."""
    prefix = 0
    while number >= step and prefix < 4:
        number /= step
        prefix += 1
    if prefix == 0:
        return f"{number:.0f} {unit}".rstrip()
    letter = "kMGT"[prefix - 1] if step == 1000 else "KMGT"[prefix - 1] + "i"
    return f"{number:.2f} {letter}{unit}"

"""Passes over a flat store, which clipping by value, loss scaling and their tests are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Problem, Work, activations, operator

COUNT = 1 << 23
NORM_TOLERANCE = 1e-3  # PyTorch's sum of so many squares in float32 on a CPU is off by 2e-4
# How often an array is read or written, and settings that leave random numbers what they are, however often they act.
PASSES: dict[str, tuple[int, dict[str, float]]] = {
    "flat_norm": (1, {}),
    "flat_has_nonfinite": (1, {}),
    "flat_scale": (2, {"factor": -1.0}),
    "flat_clamp": (2, {"limit": 0.5}),
}


def problem(name: str, count: int, **options: Any) -> Problem:
    arrays, settings = PASSES[name]
    norm = name == "flat_norm"
    return Problem(
        name, f"({count},)", lambda rng: {"x": activations(rng, count)},
        Work(2 * count if norm else 0, arrays * count), settings,
        tolerance=NORM_TOLERANCE if norm else None, **options,
    )  # fmt: skip


def _register(name: str) -> None:
    ours = getattr(ops, name)

    @operator(name, family="flat")
    def problems() -> Iterator[Problem]:
        yield problem(name, COUNT, quick=True)

    @contender(name, name="gpudl")
    def gpudl_pass(x: Any, **settings: float) -> Any:
        result = ours(x, **settings)
        return x if result is None else result


for each in PASSES:
    _register(each)


@contender("flat_norm", name="PyTorch", arrays="torch", difference="the result stays on the device")
def torch_norm(x: Any) -> Any:
    import torch

    return torch.linalg.vector_norm(x, dtype=torch.promote_types(x.dtype, torch.float32))


@contender("flat_has_nonfinite", name="PyTorch", arrays="torch", difference="the result stays on the device")
def torch_has_nonfinite(x: Any) -> Any:
    return ~x.isfinite().all()


@contender("flat_scale", name="PyTorch", arrays="torch")
def torch_scale(x: Any, *, factor: float) -> Any:
    return x.mul_(factor)


@contender("flat_clamp", name="PyTorch", arrays="torch")
def torch_clamp(x: Any, *, limit: float) -> Any:
    return x.clamp_(-limit, limit)

"""One step of each optimizer, clipping by norm, and the moving average, over the parameters of whole networks, through
the classes that users call; the gradients lie in an optimizer's store, as in training.

What is compared are the first and the last parameter after the first step.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gpudl import nn, optim
from gpudl.bench import networks
from gpudl.bench.contender import UnsupportedError, contender
from gpudl.bench.problem import Inputs, Problem, Results, Work, activations, operator, widened

Shapes = tuple[tuple[int, ...], ...]
LR = 0.01  # of the size of a parameter, so that a step that is not made shows
DECAY = 0.9
MAX_NORM = 0.5


class Model(NamedTuple):
    words: str
    shapes: Shapes
    devices: tuple[str, ...] = ("cpu", "cuda")

    @property
    def size(self) -> int:
        return sum(map(math.prod, self.shapes))


class Kind(NamedTuple):
    """arrays : how often a step reads or writes an array as long as all parameters: parameters, gradients and state."""

    operator: str
    name: str
    arrays: int
    options: tuple[tuple[str, Any], ...] = ()


MODELS = [
    Model("ResNet-18", tuple(networks.RESNET18.parameter_shapes)),
    Model("LeNet", tuple(networks.LENET.parameter_shapes)),
    Model("ResNet-50", tuple(networks.RESNET50.parameter_shapes)),
    Model("100 M parameters", ((1024, 1024),) * 96, ("cuda",)),
    Model("2,000 tensors of 64", ((64,),) * 2000),
]
QUICK = ("ResNet-18", "2,000 tensors of 64")
KINDS = [
    Kind("sgd_step", "SGD", 3),
    Kind("sgd_step", "SGD", 5, (("momentum", 0.9),)),
    Kind("adam_step", "Adam", 7),
    Kind("adam_step", "AdamW", 7),
    Kind("rmsprop_step", "RMSprop", 5),
]
# float16 has no room for squares of gradients.
DTYPES = ("float32", "bfloat16", "float64")


def step_problem(kind: Kind, model: Model) -> Problem:
    def expected(inputs: Inputs) -> Results:
        # A step moves each parameter by itself: the first and the last alone move as among all.
        values, gradients = (_ends(inputs[name], model) for name in ("parameters", "gradients"))
        return tuple(_gpudl_step(values, gradients, kind.name, dict(kind.options))())

    words = f"{kind.name}{' with momentum' if kind.options else ''}, {model.words}"
    settings = {"shapes": model.shapes, "name": kind.name, "options": kind.options}
    arrays = ("parameters", "gradients")
    return _problem(kind.operator, words, model, arrays, kind.arrays, expected, settings)


def clip_problem(model: Model) -> Problem:
    def expected(inputs: Inputs) -> Results:
        factor = MAX_NORM / (np.linalg.norm(widened(inputs["gradients"])) + 1e-6)
        return tuple(factor * gradient for gradient in _ends(inputs["gradients"], model))

    settings = {"shapes": model.shapes}
    return _problem("clip_grad_norm", model.words, model, ("gradients",), 3, expected, settings)


def average_problem(model: Model) -> Problem:
    def expected(inputs: Inputs) -> Results:
        averages, parameters = (_ends(inputs[name], model) for name in ("averages", "parameters"))
        return tuple(DECAY * a + (1 - DECAY) * p for a, p in zip(averages, parameters, strict=True))

    arrays, settings = ("parameters", "averages"), {"shapes": model.shapes}
    problem = _problem("ema_update", model.words, model, arrays, 3, expected, settings)
    return dataclasses.replace(problem, dtypes=("float32",))  # our averages are float32 in any case


def _problem(
    name: str, words: str, model: Model, arrays: tuple[str, ...], moved: int, expected: Any,
    settings: dict[str, Any],
) -> Problem:  # fmt: skip
    """arrays : names of the inputs, as long as all parameters. moved : how often such an array is read or written."""
    return Problem(
        name, words, lambda rng: {array: activations(rng, model.size) for array in arrays},
        Work(values=moved * model.size), settings, part=lambda results: [results[0], results[-1]],
        expected=expected, dtypes=DTYPES, devices=model.devices, quick=model.words in QUICK,
    )  # fmt: skip


def _ends(flat: np.ndarray, model: Model) -> list[np.ndarray]:
    """The first and the last parameter of a flat array, in float64."""
    arrays = _split(flat, model.shapes)
    return [widened(arrays[0]), widened(arrays[-1])]


def _split(flat: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Views of a flat array or tensor, one after the other."""
    ends = list(itertools.accumulate(map(math.prod, shapes)))
    return [
        flat[end - math.prod(shape) : end].reshape(shape) for end, shape in zip(ends, shapes, strict=True)
    ]


def _steps(name: str) -> Iterator[Problem]:
    for model in MODELS:
        for kind in KINDS:
            if kind.operator == name:
                yield step_problem(kind, model)


# ---- steps


def _register_step(name: str) -> None:
    @operator(name, family="optimizers")
    def problems() -> Iterator[Problem]:
        yield from _steps(name)

    @contender(name, name="gpudl", prepares=True)
    def gpudl_step(
        parameters: Any, gradients: Any, *, shapes: Shapes, name: str, options: Any
    ) -> Callable[[], list[Any]]:
        return _gpudl_step(_split(parameters, shapes), _split(gradients, shapes), name, dict(options))

    _register_torch_step(name, "PyTorch", {})
    _register_torch_step(name, "PyTorch fused", {"fused": True})
    _register_torch_step(name, "PyTorch foreach", {"foreach": True})


def _register_torch_step(op: str, words: str, chosen: dict[str, bool]) -> None:
    @contender(op, name=words, arrays="torch", prepares=True)
    def torch_step(
        parameters: Any, gradients: Any, *, shapes: Shapes, name: str, options: Any
    ) -> Callable[[], list[Any]]:
        options = {**dict(options), **chosen}
        return _torch_step(_split(parameters, shapes), _split(gradients, shapes), name, options)


def _gpudl_step(
    values: list[Any], gradients: list[Any], name: str, options: dict[str, Any]
) -> Callable[[], list[Any]]:
    parameters = [nn.Parameter(value) for value in values]
    optimizer = getattr(optim, name)(parameters, lr=LR, **options)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient

    def call() -> list[Any]:
        optimizer.step()
        return [parameters[0].data, parameters[-1].data]

    return call


def _torch_step(
    values: list[Any], gradients: list[Any], name: str, options: dict[str, Any]
) -> Callable[[], list[Any]]:
    import torch

    kind = getattr(torch.optim, name)
    if "fused" in options and "fused" not in inspect.signature(kind).parameters:
        raise UnsupportedError(f"PyTorch {torch.__version__} has no fused {name}")
    parameters = [torch.nn.Parameter(value.clone()) for value in values]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    optimizer = kind(parameters, lr=LR, **options)

    def call() -> list[Any]:
        optimizer.step()
        return [parameters[0], parameters[-1]]

    return call


for each in ("sgd_step", "adam_step", "rmsprop_step"):
    _register_step(each)


# ---- clipping


@operator("clip_grad_norm", family="optimizers")
def clip_problems() -> Iterator[Problem]:
    yield from map(clip_problem, MODELS)


def limits() -> Iterator[float]:
    """Each a little below the one before, so that every call has to clip what the one before has left."""
    return (MAX_NORM * (1 - 1e-4) ** i for i in itertools.count())


@contender("clip_grad_norm", name="gpudl", prepares=True)
def gpudl_clip(gradients: Any, *, shapes: Shapes) -> Callable[[], list[Any]]:
    parameters = [nn.Parameter(array) for array in _split(gradients, shapes)]
    store = optim.SGD(parameters, LR)
    for parameter, gradient in zip(parameters, _split(gradients, shapes), strict=True):
        parameter.grad = gradient
    limit = limits()

    def call() -> list[Any]:
        optim.clip_grad_norm_(store.param_groups[0]["params"], next(limit))
        return [parameters[0].grad, parameters[-1].grad]

    return call


@contender("clip_grad_norm", name="PyTorch", arrays="torch", prepares=True)
def torch_clip(gradients: Any, *, shapes: Shapes) -> Callable[[], list[Any]]:
    import torch

    parameters = [torch.nn.Parameter(array.clone()) for array in _split(gradients, shapes)]
    for parameter, gradient in zip(parameters, _split(gradients, shapes), strict=True):
        parameter.grad = gradient.clone()
    limit = limits()

    def call() -> list[Any]:
        torch.nn.utils.clip_grad_norm_(parameters, next(limit))
        return [parameters[0].grad, parameters[-1].grad]

    return call


# ---- moving average


@operator("ema_update", family="optimizers")
def average_problems() -> Iterator[Problem]:
    yield from map(average_problem, MODELS)


class _Parameters(nn.Module):
    """A module that is nothing but parameters."""

    def __init__(self, arrays: list[Any]):
        super().__init__()
        for number, array in enumerate(arrays):
            setattr(self, f"p{number}", nn.Parameter(array))


@contender("ema_update", name="gpudl", prepares=True)
def gpudl_average(parameters: Any, averages: Any, *, shapes: Shapes) -> Callable[[], list[Any]]:
    model = _Parameters(_split(averages, shapes))
    members = list(model.parameters())
    store = optim.SGD(members, LR)
    average = optim.EMA(model, DECAY)
    views = list(average.state_dict()["averages"].values())
    for member, array in zip(members, _split(parameters, shapes), strict=True):
        member.data = array

    def call() -> list[Any]:
        assert store.param_groups
        average.update()
        return [views[0], views[-1]]

    return call


@contender("ema_update", name="PyTorch", arrays="torch", prepares=True)
def torch_average(parameters: Any, averages: Any, *, shapes: Shapes) -> Callable[[], list[Any]]:
    import torch

    values, means = ([array.clone() for array in _split(flat, shapes)] for flat in (parameters, averages))

    def call() -> list[Any]:
        torch._foreach_lerp_(means, values, 1 - DECAY)
        return [means[0], means[-1]]

    return call

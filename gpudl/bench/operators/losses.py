"""Losses: the value, and the gradient of the prediction.

Ours of class scores makes the gradient in the pass of the value, so its backward is measured from scores and targets
on: value and gradient, for every contender. The value of the other losses is not part of their backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gpudl import ops
from gpudl.bench import networks
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.problem import SECTOR, Inputs, Problem, Work, activations, operator

Shape = tuple[int, ...]


class ElementwiseLoss(NamedTuple):
    """torch : its name in torch.nn.functional. probabilities : whether predictions lie in [0, 1), not in [-1, 1)."""

    name: str
    torch: str
    shapes: tuple[Shape, ...] = ((1024, 1024),)
    settings: tuple[tuple[str, Any], ...] = ()
    probabilities: bool = False


ELEMENTWISE = [
    ElementwiseLoss("mse_loss", "mse_loss", ((1024, 1024), (128, 10))),
    ElementwiseLoss("l1_loss", "l1_loss"),
    ElementwiseLoss("smooth_l1_loss", "smooth_l1_loss"),
    ElementwiseLoss("huber_loss", "huber_loss"),
    ElementwiseLoss("kl_div", "kl_div", settings=(("reduction", "batchmean"),)),
    ElementwiseLoss("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits"),
    ElementwiseLoss("binary_cross_entropy", "binary_cross_entropy", probabilities=True),
]
CLASS_LOSSES = {
    "cross_entropy": [(128, 10), (256, 1000), (32, 21, 64, 64)],
    "nll_loss": [(1024, 1024)],
}
# The gradient of a mean over a million elements is below what float16 holds; a probability that rounds to 1 has a
# logarithm that no two libraries cut off alike.
BACKWARD_DTYPES = ("float32", "bfloat16", "float64")
PROBABILITY_DTYPES = ("float32", "float64")


def class_problem(name: str, direction: str, shape: Shape, of: str = "", **options: Any) -> Problem:
    """of : the network whose loss it is."""
    rows = (shape[0], *shape[2:])

    def inputs(rng: np.random.Generator) -> Inputs:
        scores = activations(rng, *shape) * 4
        if name == "nll_loss":
            scores = ops.log_softmax_forward(scores, 1)
        return {"prediction": scores, "target": rng.integers(0, shape[1], rows)}

    labels, size = int(np.prod(rows)), int(np.prod(shape))
    if name == "nll_loss":  # reads what each label points to, and nothing else
        work = Work(values=0 if direction == "forward" else size, bytes=(8 + SECTOR) * labels)
    else:
        work = Work(values=size if direction == "forward" else 2 * size, bytes=8 * labels)
    words = f"{of}: {shape}" if of else str(shape)
    return Problem(f"{name}_{direction}", words, inputs, work, **options)


def elementwise_problem(loss: ElementwiseLoss, direction: str, shape: Shape, **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        prediction = activations(rng, *shape)
        prediction = np.abs(prediction) if loss.probabilities else prediction * 2
        return {"prediction": prediction, "target": rng.random(shape, np.float32)}

    work = Work(values=int(np.prod(shape)) * (2 if direction == "forward" else 3))
    dtypes = PROBABILITY_DTYPES if loss.probabilities else BACKWARD_DTYPES
    return Problem(
        f"{loss.name}_{direction}", str(shape), inputs, work, dict(loss.settings), dtypes=dtypes, **options
    )


def _class_problems(name: str, direction: str) -> Iterator[Problem]:
    for shape in CLASS_LOSSES[name]:
        yield class_problem(name, direction, shape, quick=shape == CLASS_LOSSES[name][-1])
    if name == "cross_entropy":
        for network in (networks.LENET, networks.RESNET50):
            for N, devices in networks.batches(network):
                yield class_problem(name, direction, (N, network.classes), network.name, devices=devices)


def _register_class_loss(name: str) -> None:
    forward, backward = (getattr(ops, f"{name}_{direction}") for direction in ("forward", "backward"))

    @operator(f"{name}_forward", family="losses")
    def forward_problems() -> Iterator[Problem]:
        yield from _class_problems(name, "forward")

    @operator(f"{name}_backward", family="losses")
    def backward_problems() -> Iterator[Problem]:
        yield from _class_problems(name, "backward")

    contender(f"{name}_forward", name="gpudl")(forward)

    @contender(f"{name}_backward", name="gpudl")
    def gpudl_backward(prediction: Any, target: Any) -> Any:
        _, kept = forward(prediction, target, needs_gradient=True)
        return backward(kept, prediction.shape)

    @contender(f"{name}_forward", name="PyTorch", arrays="torch")
    def torch_forward(prediction: Any, target: Any) -> Any:
        import torch

        return getattr(torch.nn.functional, name)(prediction, target)

    @contender(f"{name}_backward", name="PyTorch", arrays="torch", prepares=True)
    def torch_backward(prediction: Any, target: Any) -> Callable[[], Any]:
        import torch

        prediction.requires_grad_()
        value = getattr(torch.nn.functional, name)
        return lambda: torch.autograd.grad(value(prediction, target), [prediction])


def _register_elementwise(loss: ElementwiseLoss) -> None:
    name = loss.name

    def problems(direction: str) -> Iterator[Problem]:
        for shape in loss.shapes:
            yield elementwise_problem(loss, direction, shape, quick=shape == loss.shapes[0])

    operator(f"{name}_forward", family="losses")(lambda: problems("forward"))
    operator(f"{name}_backward", family="losses")(lambda: problems("backward"))
    for direction in ("forward", "backward"):
        contender(f"{name}_{direction}", name="gpudl")(getattr(ops, f"{name}_{direction}"))

    @contender(f"{name}_forward", name="PyTorch", arrays="torch")
    def torch_forward(prediction: Any, target: Any, **settings: Any) -> Any:
        import torch

        return getattr(torch.nn.functional, loss.torch)(prediction, target, **settings)

    @contender(f"{name}_backward", name="PyTorch", arrays="torch", prepares=True)
    def torch_backward(prediction: Any, target: Any, **settings: Any) -> Callable[[], Any]:
        import torch

        value = getattr(torch.nn.functional, loss.torch)
        return backward_call(lambda x: value(x, target, **settings), [prediction])


for each in CLASS_LOSSES:
    _register_class_loss(each)
for each in ELEMENTWISE:
    _register_elementwise(each)

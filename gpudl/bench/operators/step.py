"""A whole training step: forward, loss, backward, Adam, from the same initial values. What is compared are the losses
of several steps, and how far they have moved every parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import nn, optim
from gpudl.bench import training
from gpudl.bench.contender import Prepared, contender
from gpudl.bench.device import host_float64
from gpudl.bench.measure import error_of, require_shapes
from gpudl.bench.problem import Inputs, Problem, Results, activations, operator, widened
from gpudl.bench.torch_modes import with_cudnn

LR = 1e-4
# Not Adam's 1e-8, with which a weight moves by the learning rate however small its gradient, and those whose gradient
# is below the rounding errors go either way: no two libraries agree then. A step does the same work.
EPS = 1e-2
VERIFIED = 3  # steps
# Images of a large batch, which repeats them: its loss and gradients are theirs, which float64 gives in seconds.
DISTINCT = {"LeNet": 32, "CIFAR ResNet-20": 32, "ResNet-50": 4}
# Of the losses after up to fifty layers in float32, or in float16 by autocast: 0.005 is that of ResNet-50's second one.
TOLERANCE = 2e-2
# Of the norm of how far a parameter has moved. On the CIFAR ResNet-20 it is up to 0.03 in float32 and 0.22 by autocast
# to float16, of vectors of 16; where nothing moves, and at twice the learning rate, it is 1.
MOVED_TOLERANCE = 0.5
# Of ResNet-50 it tells nothing: the gradients of its initial values are 0.8 of their norm from those of float64 by
# autocast to float16. But its losses fall by a sixth in each of the first steps, and they are compared.
MOVED = ("LeNet", "CIFAR ResNet-20")
WARM_UP = 3  # steps before one is captured in a graph


def problem(network: str, N: int, **options: Any) -> Problem:
    trained = training.TRAINED[network]
    distinct = min(N, DISTINCT[network])

    def inputs(rng: np.random.Generator) -> Inputs:
        x = activations(rng, distinct, *trained.image) * 2
        target = rng.integers(0, trained.network.classes, distinct)
        channels_last = np.tile(x.transpose(0, 2, 3, 1), (N // distinct, 1, 1, 1))
        return {"x": channels_last.transpose(0, 3, 1, 2), "target": np.tile(target, N // distinct)}

    def expected(inputs: Inputs) -> Results:
        step = gpudl_eager(widened(inputs["x"][:distinct]), inputs["target"][:distinct], network=network)
        return compared(tuple(map(host_float64, step.results())))

    def compared(results: Results) -> Results:
        """Losses, and how far each parameter has moved, in learning rates."""
        if network not in MOVED:
            return results[:VERIFIED]
        initial = training.gpudl_model(network).parameters()
        moved = ((now - was.data) / LR for now, was in zip(results[VERIFIED:], initial, strict=True))
        return (*results[:VERIFIED], *moved)

    words = f"{network}, {N} x {trained.image}"
    return Problem(
        "training_step", words, inputs, trained.work(N), {"network": network}, expected=expected,
        compared=compared, error=error, tolerance=TOLERANCE, dtypes=("float32",), **options,
    )  # fmt: skip


def error(results: Results, expected: Results) -> float:
    """Of the losses, or of the movements, by their own measure, on the scale of the losses: whichever is larger."""
    require_shapes(results, expected)
    moved = [
        np.linalg.norm(result - right) / (np.linalg.norm(right) or 1.0)
        for result, right in zip(results[VERIFIED:], expected[VERIFIED:], strict=True)
    ]
    worst = float(np.nan_to_num(np.max(moved, initial=0), nan=np.inf))
    return max(error_of(results[:VERIFIED], expected[:VERIFIED]), worst * TOLERANCE / MOVED_TOLERANCE)


def verified(step: Callable[[], Any], parameters: Callable[[], list[Any]]) -> Prepared:
    """A step to time; what is compared are the losses of the first ones, and the parameters after them."""

    def verify() -> tuple[Any, ...]:
        # copies: a captured graph has one place for all of them
        losses = [step() + 0 for _ in range(VERIFIED)]
        return (*losses, *parameters())

    return Prepared(step, verify=verify)


@operator("training_step", family="training")
def problems() -> Iterator[Problem]:
    for network in ("LeNet", "CIFAR ResNet-20"):
        yield problem(network, 128, quick=True)
        yield problem(network, 8, devices=("cuda",), quick=True)  # bound by launches
    for N in (32, 256):
        yield problem("ResNet-50", N, devices=("cuda",), quick=N == 32)


# ---- gpudl


def gpudl_adam(model: nn.Module) -> optim.Adam:
    return optim.Adam(model.parameters(), LR, eps=EPS)


def gpudl_step(model: nn.Module, optimizer: optim.Optimizer, x: Any, target: Any) -> Callable[[], Any]:
    criterion = nn.CrossEntropyLoss()

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        model.backward(criterion.backward())
        optimizer.step()
        return loss

    return step


def gpudl_verified(step: Callable[[], Any], model: nn.Module) -> Prepared:
    return verified(step, lambda: [parameter.data for parameter in model.parameters()])


def gpudl_forget(model: nn.Module, initial: dict[str, Any], optimizer: optim.Optimizer) -> None:
    """As if no step had been taken, in the memory that a captured graph knows."""
    model.load_state_dict(initial)
    taken = optimizer.state_dict()
    state = {
        key: {name: 0 if name == "step" else 0 * value for name, value in entry.items()}
        for key, entry in taken["state"].items()
    }
    optimizer.load_state_dict({**taken, "state": state})


@contender("training_step", name="gpudl", prepares=True)
def gpudl_eager(x: Any, target: Any, *, network: str) -> Prepared:
    model = training.gpudl_model(network, x, x.dtype)
    return gpudl_verified(gpudl_step(model, gpudl_adam(model), x, target), model)


@contender("training_step", name="gpudl graph", prepares=True, devices=("cuda",),
           difference="the step is captured in a CUDA graph")  # fmt: skip
def gpudl_graph(x: Any, target: Any, *, network: str) -> Prepared:
    import cupy

    model = training.gpudl_model(network, x)
    initial = {name: value.copy() for name, value in model.state_dict().items()}
    optimizer = gpudl_adam(model)
    step = gpudl_step(model, optimizer, x, target)
    # Memory of its own: what the graph has written to must not be given to anybody else between two launches.
    pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
    stream.wait_event(cupy.cuda.get_current_stream().record())
    with cupy.cuda.using_allocator(pool.malloc), stream:
        for _ in range(WARM_UP):
            step()
        stream.begin_capture()
        loss = step()
        graph = stream.end_capture()
        gpudl_forget(model, initial, optimizer)
    stream.synchronize()

    def call() -> Any:
        assert pool is not None
        graph.launch()
        return loss

    return gpudl_verified(call, model)


# ---- PyTorch


def torch_step(model: Any, optimizer: Any, x: Any, target: Any) -> Callable[[], Any]:
    import torch

    criterion = torch.nn.CrossEntropyLoss()

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def torch_adam(network: str, x: Any, **options: Any) -> tuple[Any, Any]:
    """A model and its optimizer."""
    import torch

    from gpudl.bench import torch_models

    model = torch_models.twin(network, x.device)
    return model, torch.optim.Adam(model.parameters(), LR, eps=EPS, **options)


def torch_verified(step: Callable[[], Any], model: Any) -> Prepared:
    return verified(step, lambda: list(model.parameters()))


def torch_forget(model: Any, initial: dict[str, Any], optimizer: Any) -> None:
    """As if no step had been taken, in the memory that a captured graph knows."""
    model.load_state_dict(initial)
    for entry in optimizer.state.values():
        for value in entry.values():
            value.zero_()


@contender("training_step", name="PyTorch", arrays="torch", prepares=True)
def torch_eager(x: Any, target: Any, *, network: str) -> Prepared:
    model, optimizer = torch_adam(network, x)
    return torch_verified(torch_step(model, optimizer, x, target), model)


@contender("training_step", name="PyTorch fused Adam", arrays="torch", prepares=True, devices=("cuda",))
def torch_fused(x: Any, target: Any, *, network: str) -> Prepared:
    model, optimizer = torch_adam(network, x, fused=True)
    return torch_verified(torch_step(model, optimizer, x, target), model)


@contender("training_step", name="PyTorch AMP", arrays="torch", prepares=True, devices=("cuda",),
           difference="float16 by autocast, with loss scaling; not deterministic")  # fmt: skip
def torch_amp(x: Any, target: Any, *, network: str) -> Prepared:
    import torch

    model, optimizer = torch_adam(network, x, fused=True)
    criterion = torch.nn.CrossEntropyLoss()
    # Not so large that gradients of the first steps overflow: such steps are left out, and those are compared.
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0)

    def step() -> Any:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = criterion(model(x), target)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return torch_verified(with_cudnn(step, deterministic=False), model)


@contender("training_step", name="PyTorch compile", arrays="torch", prepares=True, devices=("cuda",),
           difference="the model is compiled by torch.compile")  # fmt: skip
def torch_compiled(x: Any, target: Any, *, network: str) -> Prepared:
    import torch

    model, optimizer = torch_adam(network, x, fused=True)
    return torch_verified(torch_step(torch.compile(model), optimizer, x, target), model)


@contender("training_step", name="PyTorch graph", arrays="torch", prepares=True, devices=("cuda",),
           difference="the step is captured in a CUDA graph")  # fmt: skip
def torch_graph(x: Any, target: Any, *, network: str) -> Prepared:
    import torch

    model, optimizer = torch_adam(network, x, fused=True, capturable=True)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    step = torch_step(model, optimizer, x, target)
    current, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(current)
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    current.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    torch_forget(model, initial, optimizer)

    def call() -> Any:
        graph.replay()
        return loss

    return torch_verified(call, model)

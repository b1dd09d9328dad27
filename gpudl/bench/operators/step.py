"""A whole training step: forward, loss, backward, Adam, from the same initial values. What is compared is the loss of
the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import nn, optim
from gpudl.bench import training
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Results, activations, operator, widened
from gpudl.bench.torch_modes import with_cudnn

LR = 1e-4
DISTINCT = (
    32  # images of a large batch, which repeats them: its loss is theirs, which float64 gives in a second
)
TOLERANCE = 1e-2  # of the loss after some twenty layers in float32, or in float16 by autocast
WARM_UP = 3  # steps before one is captured in a graph


def problem(network: str, N: int, **options: Any) -> Problem:
    trained = training.TRAINED[network]
    distinct = min(N, DISTINCT)

    def inputs(rng: np.random.Generator) -> Inputs:
        x = activations(rng, distinct, *trained.image) * 2
        target = rng.integers(0, trained.network.classes, distinct)
        channels_last = np.tile(x.transpose(0, 2, 3, 1), (N // distinct, 1, 1, 1))
        return {"x": channels_last.transpose(0, 3, 1, 2), "target": np.tile(target, N // distinct)}

    def expected(inputs: Inputs) -> Results:
        model = training.gpudl_model(network, dtype=np.float64)
        scores = model(widened(inputs["x"][:distinct]))
        return (nn.CrossEntropyLoss()(scores, inputs["target"][:distinct]),)

    words = f"{network}, {N} x {trained.image}"
    return Problem(
        "training_step", words, inputs, trained.work(N), {"network": network}, expected=expected,
        tolerance=TOLERANCE, dtypes=("float32",), **options,
    )  # fmt: skip


@operator("training_step", family="training")
def problems() -> Iterator[Problem]:
    for network in ("LeNet", "CIFAR ResNet-20"):
        yield problem(network, 128, quick=True)
        yield problem(network, 8, devices=("cuda",), quick=True)  # bound by launches
    for N in (32, 256):
        yield problem("ResNet-50", N, devices=("cuda",), quick=N == 32)


# ---- gpudl


def gpudl_step(model: nn.Module, x: Any, target: Any) -> Callable[[], Any]:
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), LR)

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        model.backward(criterion.backward())
        optimizer.step()
        return loss

    return step


@contender("training_step", name="gpudl", prepares=True)
def gpudl_eager(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    return gpudl_step(training.gpudl_model(network, x, x.dtype), x, target)


@contender("training_step", name="gpudl graph", prepares=True, devices=("cuda",),
           difference="the step is captured in a CUDA graph")  # fmt: skip
def gpudl_graph(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    import cupy

    model = training.gpudl_model(network, x)
    initial = {name: value.copy() for name, value in model.state_dict().items()}
    step = gpudl_step(model, x, target)
    # Memory of its own: what the graph has written to must not be given to anybody else between two launches.
    pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
    stream.wait_event(cupy.cuda.get_current_stream().record())
    with cupy.cuda.using_allocator(pool.malloc), stream:
        for _ in range(WARM_UP):
            step()
        stream.begin_capture()
        loss = step()
        graph = stream.end_capture()
        model.load_state_dict(initial)
    stream.synchronize()

    def call() -> Any:
        assert pool is not None
        graph.launch()
        return loss

    return call


# ---- PyTorch


def torch_step(model: Any, x: Any, target: Any, **options: Any) -> Callable[[], Any]:
    import torch

    criterion, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), LR, **options)

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _twin(network: str, x: Any) -> Any:
    from gpudl.bench import torch_models

    return torch_models.twin(network, x.device)


@contender("training_step", name="PyTorch", arrays="torch", prepares=True)
def torch_eager(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    return torch_step(_twin(network, x), x, target)


@contender("training_step", name="PyTorch fused Adam", arrays="torch", prepares=True, devices=("cuda",))
def torch_fused(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    return torch_step(_twin(network, x), x, target, fused=True)


@contender("training_step", name="PyTorch AMP", arrays="torch", prepares=True, devices=("cuda",),
           difference="float16 by autocast, with loss scaling; not deterministic")  # fmt: skip
def torch_amp(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    import torch

    model = _twin(network, x)
    criterion, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), LR, fused=True)
    scaler = torch.amp.GradScaler("cuda")

    def step() -> Any:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = criterion(model(x), target)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    return with_cudnn(step, deterministic=False)


@contender("training_step", name="PyTorch compile", arrays="torch", prepares=True, devices=("cuda",),
           difference="the model is compiled by torch.compile")  # fmt: skip
def torch_compiled(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    import torch

    return torch_step(torch.compile(_twin(network, x)), x, target, fused=True)


@contender("training_step", name="PyTorch graph", arrays="torch", prepares=True, devices=("cuda",),
           difference="the step is captured in a CUDA graph")  # fmt: skip
def torch_graph(x: Any, target: Any, *, network: str) -> Callable[[], Any]:
    import torch

    model = _twin(network, x)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    step = torch_step(model, x, target, fused=True, capturable=True)
    current, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(current)
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    current.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    model.load_state_dict(initial)

    def call() -> Any:
        graph.replay()
        return loss

    return call

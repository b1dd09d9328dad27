"""What convolutions share: the arrays of each direction, and their contenders."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, bias

# The arrays of each direction, what has the shape of its result, and the setting that says so.
ARRAYS = {
    "forward": ("x", "weight", "bias"),
    "backward_data": ("dy", "weight"),
    "backward_weight": ("dy", "x"),
    "backward_bias": ("dy",),
}
RESULTS = {"forward": "dy", "backward_data": "x", "backward_weight": "weight", "backward_bias": "bias"}
SIZES = {"backward_data": "x_shape", "backward_weight": "weight_shape"}


def problem(
    op: str,
    direction: str,
    words: str,
    shapes: dict[str, tuple[int, ...]],
    multiply_adds: int,
    settings: dict[str, int],
    **options: Any,
) -> Problem:
    """shapes : of x, weight, bias and dy. multiply_adds : of every direction but that of the bias."""

    def inputs(rng: np.random.Generator) -> Inputs:
        arrays = {name: activations(rng, *shapes[name]) for name in ARRAYS[direction] if name != "bias"}
        if direction == "forward":
            arrays["bias"] = bias(rng, *shapes["bias"], multiply_adds // int(np.prod(shapes["dy"])))
        return arrays

    values = sum(int(np.prod(shapes[name])) for name in (*ARRAYS[direction], RESULTS[direction]))
    if direction == "backward_bias":
        work, settings = Work(int(np.prod(shapes["dy"])), values), {}
    else:
        work = Work(2 * multiply_adds, values)
    sizes = {SIZES[direction]: shapes[RESULTS[direction]]} if direction in SIZES else {}
    return Problem(f"{op}_{direction}", words, inputs, work, {**sizes, **settings}, **options)


def register_contenders(op: str, *, transposed: bool = False) -> None:
    """gpudl's and PyTorch's, of each direction."""
    ours = {direction: getattr(ops, f"{op}_{direction}") for direction in ARRAYS}
    contender(f"{op}_forward", name="gpudl")(ours["forward"])
    contender(f"{op}_backward_bias", name="gpudl")(ours["backward_bias"])

    @contender(f"{op}_backward_data", name="gpudl")
    def gpudl_backward_data(dy: Any, weight: Any, *, x_shape: tuple[int, ...], **settings: Any) -> Any:
        return ours["backward_data"](dy, weight, x_shape, **settings)

    @contender(f"{op}_backward_weight", name="gpudl")
    def gpudl_backward_weight(dy: Any, x: Any, *, weight_shape: tuple[int, ...], **settings: Any) -> Any:
        return ours["backward_weight"](dy, x, weight_shape, **settings)

    @contender(f"{op}_forward", name="PyTorch", arrays="torch")
    def torch_forward(x: Any, weight: Any, bias: Any, **settings: Any) -> Any:
        import torch

        return getattr(torch.nn.functional, op)(x, weight, bias, **settings)

    @contender(f"{op}_backward_data", name="PyTorch", arrays="torch")
    def torch_backward_data(dy: Any, weight: Any, *, x_shape: tuple[int, ...], **settings: Any) -> Any:
        x = unread(dy, x_shape)
        return _torch_backward(dy, x, weight, settings, transposed, [True, False, False])[0]

    @contender(f"{op}_backward_weight", name="PyTorch", arrays="torch")
    def torch_backward_weight(dy: Any, x: Any, *, weight_shape: tuple[int, ...], **settings: Any) -> Any:
        weight = unread(dy, weight_shape)
        return _torch_backward(dy, x, weight, settings, transposed, [False, True, False])[1]

    @contender(f"{op}_backward_bias", name="PyTorch", arrays="torch")
    def torch_backward_bias(dy: Any) -> Any:
        return dy.sum([axis for axis in range(dy.ndim) if axis != 1])


def unread(dy: Any, shape: tuple[int, ...]) -> Any:
    """The tensor that PyTorch's operator asks for, though for this gradient it reads only its shape and layout."""
    import torch

    layout = torch.channels_last if dy.ndim == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=dy.dtype, device=dy.device, memory_format=layout)


def _torch_backward(
    dy: Any, x: Any, weight: Any, settings: dict[str, int], transposed: bool, mask: list[bool]
) -> Any:
    import torch

    axes = dy.ndim - 2
    stride, padding, dilation = ([settings[name]] * axes for name in ("stride", "padding", "dilation"))
    output_padding = [settings.get("output_padding", 0)] * axes
    return torch.ops.aten.convolution_backward(
        dy, x, weight, None, stride, padding, dilation, transposed, output_padding, settings["groups"], mask
    )

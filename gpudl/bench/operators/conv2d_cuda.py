"""2-D convolution on a GPU: cuDNN, and PyTorch with products in TF32, and with plans that are not deterministic."""

from __future__ import annotations

import functools
from typing import Any

from gpudl.bench import cudnn_graphs
from gpudl.bench.contender import CONTENDERS, Prepared, contender
from gpudl.bench.cudnn_graphs import Mode
from gpudl.bench.cudnn_pooling import empty
from gpudl.bench.operators import conv2d
from gpudl.bench.torch_modes import with_cudnn

assert conv2d.LAYERS  # its contenders are registered before those of this file

# name: which plans, and whether the fastest of all is looked for. TF32 is a mode of float32 alone.
CUDNN = {
    "cuDNN": (Mode(), False),
    "cuDNN best": (Mode(), True),
    "cuDNN best, any order": (Mode(deterministic=False), True),
    "cuDNN best TF32": (Mode(tensor_cores=True), True),
}


def cudnn_forward(x: Any, weight: Any, bias: Any, *, mode: Mode, best: bool, **settings: int) -> Prepared:
    extents = (_extent(x, weight, axis, settings) for axis in (2, 3))
    arrays = {
        "x": x,
        "weight": weight,
        "bias": bias,
        "y": empty((x.shape[0], weight.shape[0], *extents), x.dtype),
    }
    return cudnn_graphs.prepare("conv2d_forward", arrays, {}, ("y",), settings, mode, best=best)


def cudnn_backward_data(
    dy: Any, weight: Any, *, x_shape: tuple[int, ...], mode: Mode, best: bool, **settings: int
) -> Prepared:
    arrays = {"dy": dy, "weight": weight, "dx": empty(x_shape, dy.dtype)}
    return cudnn_graphs.prepare("conv2d_backward_data", arrays, {}, ("dx",), settings, mode, best=best)


def cudnn_backward_weight(
    dy: Any, x: Any, *, weight_shape: tuple[int, ...], mode: Mode, best: bool, **settings: int
) -> Prepared:
    arrays = {"dy": dy, "x": x, "dweight": empty(weight_shape, x.dtype)}
    return cudnn_graphs.prepare("conv2d_backward_weight", arrays, {}, ("dweight",), settings, mode, best=best)


def _extent(x: Any, weight: Any, axis: int, settings: dict[str, int]) -> int:
    span = settings["dilation"] * (weight.shape[axis] - 1) + 1
    return (x.shape[axis] + 2 * settings["padding"] - span) // settings["stride"] + 1


DIRECTIONS = {
    "conv2d_forward": cudnn_forward,
    "conv2d_backward_data": cudnn_backward_data,
    "conv2d_backward_weight": cudnn_backward_weight,
}

for _operator, _function in DIRECTIONS.items():
    for _name, (_mode, _best) in CUDNN.items():
        contender(
            _operator, name=_name, prepares=True, devices=("cuda",), difference=_mode.words,
            math="tf32" if _mode.tensor_cores else None,
        )(functools.partial(_function, mode=_mode, best=_best))  # fmt: skip


for _operator in DIRECTIONS:
    _torch = CONTENDERS[_operator]["PyTorch"].function
    contender(
        _operator, name="PyTorch TF32", arrays="torch", devices=("cuda",), difference="products in TF32", math="tf32"
    )(with_cudnn(_torch, tf32=True))  # fmt: skip
    contender(
        _operator, name="PyTorch, any order", arrays="torch", devices=("cuda",), difference="not deterministic"
    )(with_cudnn(_torch, deterministic=False))  # fmt: skip

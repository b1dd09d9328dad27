"""Batch normalisation on a GPU: cuDNN's graphs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench import cudnn_graphs
from gpudl.bench.contender import Prepared, contender
from gpudl.bench.cudnn_graphs import Mode
from gpudl.bench.operators import batch_norm
from gpudl.bench.operators.batch_norm import EPS, MOMENTUM

MODE = Mode()
DIFFERENCE = f"{batch_norm.DIFFERENCE}, {MODE.words}"


def cudnn_forward(x: Any, weight: Any, bias: Any, *, best: bool, relu: bool = False) -> Prepared:
    import cupy

    arrays = {"x": x, **_parameters(weight=weight, bias=bias)}
    arrays |= _statistics(x, mean=0, var=1, saved_mean=0, saved_rstd=0, next_mean=0, next_var=0)
    arrays["y"] = cupy.empty_like(x)
    numbers = {"eps": EPS, "momentum": MOMENTUM}
    results = ("y", "next_mean", "next_var")
    return cudnn_graphs.prepare(
        "batch_norm_forward", arrays, numbers, results, {"relu": relu}, MODE, best=best
    )


def cudnn_backward(dy: Any, x: Any, weight: Any, *, best: bool, bias: Any = None) -> Prepared:
    """bias : given where y went through ReLU."""
    import cupy

    _, mean, rstd = ops.batch_norm_forward(x, weight, eps=EPS)
    relu = bias is not None
    parameters = _parameters(weight=weight, **({"bias": bias} if relu else {}))
    arrays = {"dy": dy, "x": x, **parameters, "mean": mean, "rstd": rstd, "dx": cupy.empty_like(x)}
    arrays |= _statistics(x, dweight=0, dbias=0)
    results = ("dx", "dweight", "dbias")
    return cudnn_graphs.prepare("batch_norm_backward", arrays, {}, results, {"relu": relu}, MODE, best=best)


def cudnn_inference(x: Any, weight: Any, bias: Any, *, best: bool, relu: bool = False) -> Prepared:
    import cupy

    # cuDNN takes 1 / sqrt(var + eps), and the variance of these problems is 1.
    statistics = _statistics(x, mean=0, rstd=1 / np.sqrt(1 + EPS))
    arrays = {"x": x, **_parameters(weight=weight, bias=bias), **statistics, "y": cupy.empty_like(x)}
    return cudnn_graphs.prepare("batch_norm_inference", arrays, {}, ("y",), {"relu": relu}, MODE, best=best)


def _parameters(**vectors: Any) -> dict[str, Any]:
    return {name: vector.astype(np.float32) for name, vector in vectors.items()}


def _statistics(x: Any, **values: float) -> dict[str, Any]:
    """(C,) in float32, full of a value each."""
    import cupy

    return {name: cupy.full(x.shape[1], value, np.float32) for name, value in values.items()}


DIRECTIONS = {
    "batch_norm_forward": cudnn_forward,
    "batch_norm_backward": cudnn_backward,
    "batch_norm_inference": cudnn_inference,
}

for _operator, _function in DIRECTIONS.items():
    for _name, _best in (("cuDNN", False), ("cuDNN best", True)):
        contender(_operator, name=_name, prepares=True, devices=("cuda",), difference=DIFFERENCE)(
            functools.partial(_function, best=_best)
        )

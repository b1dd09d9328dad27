"""Batch norm with ReLU: contenders agree with float64 loops on the CPU, and no value is near the kink."""

import numpy as np
import pytest

from gpudl.bench import operators
from gpudl.bench.contender import CONTENDERS
from gpudl.bench.cpu import CpuDevice
from gpudl.bench.device import as_arrays
from gpudl.bench.measure import cast, error_of
from gpudl.bench.operators import batch_norm_relu
from gpudl.bench.operators.batch_norm import EPS, MOMENTUM
from gpudl.bench.problem import OPERATORS, TOLERANCES
from tests.support.oracles import batch_norm as oracle

KINDS = ("forward", "backward", "inference")
SHAPE = (4, 3, 5, 6)


@pytest.fixture(params=KINDS)
def problem(request, monkeypatch):
    operators.load()
    monkeypatch.setattr(batch_norm_relu, "SHAPES", [SHAPE])
    (made,) = OPERATORS[f"batch_norm_relu_{request.param}"].problems()
    return made


def expected(problem, inputs):
    exact = {name: array.astype(np.float64) for name, array in inputs.items()}
    x, weight, bias = exact["x"], exact["weight"], exact["bias"]
    if problem.operator.endswith("inference"):
        return (np.maximum(oracle.normalise(x, np.zeros(3), np.ones(3), weight, bias, EPS), 0),)
    mean, variance = oracle.statistics(x)
    y = oracle.normalise(x, mean, variance, weight, bias, EPS)
    if problem.operator.endswith("forward"):
        count = x.size // x.shape[1]
        running = MOMENTUM * variance * count / (count - 1) + (1 - MOMENTUM)
        return np.maximum(y, 0), MOMENTUM * mean, running
    axes, per_channel = (0, 2, 3), (1, -1, 1, 1)
    dy = exact["dy"] * (y > 0)
    rstd = 1 / np.sqrt(variance + EPS)
    xhat = (x - mean.reshape(per_channel)) * rstd.reshape(per_channel)
    dbias, dweight = dy.sum(axes), (dy * xhat).sum(axes)
    count = x.size // x.shape[1]
    through = dy - (dbias.reshape(per_channel) + xhat * dweight.reshape(per_channel)) / count
    return (weight * rstd).reshape(per_channel) * through, dweight, dbias


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["gpudl", "PyTorch"])
def test_contenders_are_right(problem, name, dtype):
    if name == "PyTorch":
        pytest.importorskip("torch")
    inputs = cast(problem.inputs(np.random.default_rng(1)), dtype)
    contender, device = CONTENDERS[problem.operator][name], CpuDevice()
    call = contender.prepare(
        device.place({k: v.copy(order="K") for k, v in inputs.items()}, contender.arrays), {}
    ).call
    error = error_of(device.fetch(as_arrays(call())), expected(problem, inputs))
    assert error <= TOLERANCES[dtype]
    again = device.fetch(as_arrays(call()))
    assert len(again) == len(expected(problem, inputs)), "a second call is a call too"


def test_no_value_is_near_the_kink(problem):
    inputs = problem.inputs(np.random.default_rng(2))
    mean, variance = oracle.statistics(inputs["x"].astype(np.float64))
    y = oracle.normalise(inputs["x"], mean, variance, inputs["weight"], inputs["bias"], EPS)
    assert np.abs(y).min() > 0.01
    assert 0.2 < (y > 0).mean() < 0.8
    assert inputs["weight"].min() > 0


def test_work_is_that_of_the_arrays(problem):
    arrays = {"forward": 2, "backward": 3, "inference": 2}[problem.operator.rpartition("_")[2]]
    assert problem.work.values == arrays * np.prod(SHAPE)


def test_cudnn_contends_on_a_gpu(problem):
    for name in ("cuDNN", "cuDNN best"):
        assert CONTENDERS[problem.operator][name].devices == ("cuda",)

"""Bounds on gradients, the test for what is not finite, and averages of weights."""

import copy
import pickle

import numpy as np
import pytest

from gpudl import nn, optim
from gpudl.nn import Parameter
from tests.support.arrays import assert_refuses, random_array
from tests.support.optimized import give_gradients, parameters
from tests.support.tolerances import DTYPES, assert_close


@pytest.mark.parametrize("count", [1, 99], ids="at most {} parameters".format)
@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, np.inf, 0])
def test_clip_grad_norm(bound, norm_type, count):
    members = parameters()[-count:]
    if bound:
        optim.SGD(members)
    give_gradients(members, 0, skip=(1,))
    gradients = [member.grad.copy() for member in members if member.grad is not None]
    norms = [np.linalg.norm(gradient.ravel(), norm_type) if gradient.size else 0.0 for gradient in gradients]
    expected = np.linalg.norm(norms, norm_type)  # PyTorch's: for 0 the number of arrays that are not zero
    assert optim.clip_grad_norm_(members, 0.5, norm_type) == pytest.approx(expected, rel=1e-12)
    factor = min(1, 0.5 / (expected + 1e-6))
    left = [member.grad for member in members if member.grad is not None]
    for gradient, before in zip(left, gradients, strict=True):
        assert_close(gradient, before * factor)
    assert optim.clip_grad_norm_(members, 1e9, norm_type) == pytest.approx(
        expected * (factor if norm_type else 1)
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_that_are_not_finite(bad):
    members = parameters()
    optim.SGD(members)
    give_gradients(members, 0)
    assert not optim.has_nonfinite_grad(members)
    members[2].grad[1, 2, 0, 1] = bad
    assert optim.has_nonfinite_grad(members)
    before = members[0].grad.copy()
    assert_refuses(
        lambda: optim.clip_grad_norm_(members, 1.0, error_if_nonfinite=True),
        RuntimeError,
        "norm of the gradients is",
    )
    assert np.array_equal(members[0].grad, before)
    optim.clip_grad_value_(members, 0.5)
    assert max(np.nanmax(np.abs(member.grad), initial=0) for member in members) == 0.5
    members[2].grad[1, 2, 0, 1] = bad
    total = optim.clip_grad_norm_(members, 1.0)
    assert np.isnan(total) if np.isnan(bad) else np.isinf(total)
    assert np.isnan(members[0].grad).all() if np.isnan(bad) else (members[0].grad == 0).all()


def test_the_norm_can_be_taken_without_clipping():
    member = Parameter(np.zeros(2))
    member.grad = np.array([3.0, -4.0])
    assert optim.clip_grad_norm_(member, np.inf) == 5
    assert optim.clip_grad_norm_(member, np.inf, "inf") == 4
    assert member.grad.tolist() == [3, -4]


def test_clipping_gradients_with_gaps_in_memory():
    member = Parameter(np.ones((2, 2)))
    wide = np.full((4, 4), 10.0)
    member.grad = wide[::2, ::2]
    assert optim.clip_grad_norm_(member, 1.0) == pytest.approx(20.0)
    assert np.linalg.norm(member.grad) == pytest.approx(1.0, rel=1e-6)
    optim.clip_grad_value_(member, 0.1)
    assert_close(member.grad, np.full((2, 2), 0.1))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("warmup", [False, True])
def test_averages_of_weights(dtype, warmup):
    model = nn.Sequential(nn.Conv2d(2, 3, 3, dtype=dtype), nn.BatchNorm2d(3, dtype=dtype))
    ema = optim.EMA(model, decay=0.8, warmup=warmup)
    expected = {name: p.data.astype(np.float64) for name, p in model.named_parameters()}
    for step in range(5):
        decay = min(0.8, (1 + step) / (10 + step)) if warmup else 0.8
        for i, (name, parameter) in enumerate(model.named_parameters()):
            parameter.data[...] = random_array(parameter.shape, dtype, seed=10 * step + i)
            expected[name] = decay * expected[name] + (1 - decay) * parameter.data.astype(np.float64)
        ema.update()
    own = {name: p.data.copy() for name, p in model.named_parameters()}
    with ema.applied():
        for name, parameter in model.named_parameters():
            assert_close(parameter.data, expected[name])
    assert all(np.array_equal(p.data, own[name]) for name, p in model.named_parameters())
    other = optim.EMA(model, decay=0.8, warmup=warmup)
    other.load_state_dict(ema.state_dict())
    for average in (ema, other):
        average.update()
    assert other.updates == 6
    for name in own:
        assert np.array_equal(ema.state_dict()["averages"][name], other.state_dict()["averages"][name])


@pytest.mark.parametrize(
    "twin", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
def test_a_model_and_its_averages_are_copied_together(twin):
    model = nn.Linear(3, 2)
    ema = optim.EMA(model, decay=0.5, warmup=True)
    ema.update()
    other, its = twin((model, ema))
    before = {name: array.copy() for name, array in ema.state_dict()["averages"].items()}
    for averaged, averages in ((other, its), (model, ema)):
        averaged.weight.data[...] = 7
        averages.update()
        assert averages.state_dict()["updates"] == 2
    for name, array in ema.state_dict()["averages"].items():
        assert np.array_equal(its.state_dict()["averages"][name], array)
    assert not np.array_equal(its.state_dict()["averages"]["weight"], before["weight"])
    its.update()
    assert ema.state_dict()["updates"] == 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("order", [1, -1], ids=["model's order", "reversed"])
def test_averages_of_weights_in_an_optimizer_s_store(order, dtype):
    """One made before, one after the optimizer took the parameters; a frozen layer is in no store."""
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, dtype=dtype), nn.Linear(7, 5, dtype=dtype), nn.Linear(5, 1, dtype=dtype)
    )
    first = optim.EMA(model, decay=0.8)
    optim.SGD([p for module in list(model)[:2][::order] for p in module.parameters()], lr=0.1)
    second = optim.EMA(model, decay=0.8)
    expected = {name: p.data.astype(np.float64) for name, p in model.named_parameters()}
    for step in range(3):
        for i, (name, parameter) in enumerate(model.named_parameters()):
            parameter.data = random_array(parameter.shape, dtype, seed=10 * step + i)
            expected[name] = 0.8 * expected[name] + 0.2 * parameter.data.astype(np.float64)
        first.update()
        second.update()
    for name, parameter in model.named_parameters():
        average = first.state_dict()["averages"][name]
        assert average.shape == parameter.shape
        assert np.array_equal(average, second.state_dict()["averages"][name])
        assert_close(average, expected[name])

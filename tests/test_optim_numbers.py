"""The numbers of optimizer steps: every option against PyTorch and the oracle."""

import itertools

import numpy as np
import pytest

from gpudl import optim
from gpudl.nn import Parameter
from tests.support.optimized import OPTIONS, every_option, give_gradients, parameters, skipped_at
from tests.support.oracles import optimizers as oracle
from tests.support.tolerances import assert_close

OURS_ALONE = [(optim.RMSprop, {"lr": 0.02, "eps": 1e-2, "eps_inside_sqrt": True, "momentum": 0.5})]


@pytest.mark.torch
@every_option
def test_pytorch_agrees_over_many_steps(kind, options):
    torch = pytest.importorskip("torch")
    members = parameters()
    theirs = [torch.nn.Parameter(torch.from_numpy(member.data.copy())) for member in members]
    ours, reference = kind(members, **options), getattr(torch.optim, kind.__name__)(theirs, **options)
    for step in range(7):
        give_gradients(members, step, skipped_at(step))
        for mine, other in zip(members, theirs, strict=True):
            other.grad = None if mine.grad is None else torch.from_numpy(np.array(mine.grad))
        if step == 4:
            ours.param_groups[0]["lr"] = reference.param_groups[0]["lr"] = 0.3
        ours.step()
        reference.step()
        for mine, other in zip(members, theirs, strict=True):
            assert_close(mine.data, other.detach().numpy())


@pytest.mark.torch
@every_option
def test_state_goes_to_pytorch_and_back(kind, options):
    torch = pytest.importorskip("torch")
    members = parameters()
    ours = kind(members, **options)
    for step in range(3):
        give_gradients(members, step, skipped_at(step))
        ours.step()
    theirs = [torch.nn.Parameter(torch.from_numpy(member.data.copy())) for member in members]
    reference = getattr(torch.optim, kind.__name__)(theirs, **options)
    exported = ours.state_dict()
    for entry in exported["state"].values():
        for name, value in entry.items():
            entry[name] = torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value
            if name == "step":
                entry[name] = torch.tensor(float(value))
    merged = reference.state_dict()["param_groups"]
    for group, own in zip(merged, exported["param_groups"], strict=True):
        group.update(own)
    reference.load_state_dict({"state": exported["state"], "param_groups": merged})
    fresh = [Parameter(member.data.copy()) for member in members]
    resumed = kind(fresh, **options)
    resumed.load_state_dict(reference.state_dict())
    for step in range(3, 6):
        give_gradients(fresh, step)
        for mine, other in zip(fresh, theirs, strict=True):
            other.grad = torch.from_numpy(np.array(mine.grad))
        resumed.step()
        reference.step()
        for mine, other in zip(fresh, theirs, strict=True):
            assert_close(mine.data, other.detach().numpy())


@pytest.mark.torch
def test_options_that_pytorch_keeps_in_tensors_are_numbers_here():
    torch = pytest.importorskip("torch")
    rates = torch.tensor(0.25), (torch.tensor(0.5), torch.tensor(0.75))
    theirs = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))], rates[0], rates[1])
    ours = optim.Adam([Parameter(np.zeros(2))])
    ours.load_state_dict(theirs.state_dict())
    assert ours.param_groups[0]["lr"] == 0.25
    assert ours.param_groups[0]["betas"] == (0.5, 0.75)
    assert type(ours.param_groups[0]["lr"]) is float


@every_option
def test_steps_are_those_of_the_operator(kind, options):
    """Each parameter alone, by the operator that test_optimizer_steps proves, gives the same bits as all in one pass."""
    members, alone = parameters(np.float32), parameters(np.float32)
    together = kind(members, **options)
    apart = [kind([member], **options) for member in alone]
    for step in range(5):
        give_gradients(members, step, skipped_at(step))
        give_gradients(alone, step, skipped_at(step))
        together.step()
        for optimizer in apart:
            optimizer.step()
    for mine, other in zip(members, alone, strict=True):
        assert np.array_equal(mine.data, other.data)


@pytest.mark.parametrize(("kind", "options"), OPTIONS + OURS_ALONE)
def test_numbers_of_the_oracle(kind, options):
    member = Parameter(np.array([0.7]))
    optimizer = kind([member], **options)
    numbers = dict(optimizer.param_groups[0])
    p, state = 0.7, [0.0] * 4
    for step in range(1, 6):
        g = float(np.sin(step))
        member.grad = np.array([g])
        optimizer.step()
        p, *state = _by_oracle(kind, numbers, g, p, state, step)
        assert_close(member.data, np.array([p]))


def _by_oracle(kind, n, g, p, state, step):
    """(p, state) after one step by the published rules."""
    if kind is optim.SGD:
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        return oracle.sgd_step(g, p, state[0], step, *(n[name] for name in names))
    if kind is optim.RMSprop:
        names = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize", "eps_inside_sqrt")
        return oracle.rmsprop_step(g, p, *state[:3], step, *(n[name] for name in names))
    names = ("eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay")
    return oracle.adam_step(g, p, *state[:3], step, n["lr"], *n["betas"], *(n[name] for name in names))


def test_padding_stays_zero():
    for (kind, options), eps in itertools.product(OPTIONS, [None, 0.0]):
        if eps is not None and "eps" not in kind([Parameter(np.ones(1))]).defaults:
            continue
        members = parameters(np.float32)
        optimizer = kind(members, **(options if eps is None else {**options, "eps": eps}))
        for step in range(3):
            give_gradients(members, step)
            optimizer.step()
        store = optimizer._stores[0]
        inside = np.zeros(store.total, bool)
        for slot in store.slots:
            slot.span(inside)[...] = True
        for flat in (store.data, store.grad, *store.states.values()):
            assert (flat[~inside] == 0).all()

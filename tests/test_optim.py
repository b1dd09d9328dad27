"""The optimizers as objects: stores, groups, states, counts, resuming."""

import copy
import pickle

import numpy as np
import pytest

import gpudl
from gpudl import nn, ops, optim
from gpudl.nn import Parameter
from tests.support.arrays import assert_refuses, random_array
from tests.support.optimized import SHAPES, every_option, give_gradients, parameters, skipped_at
from tests.support.tolerances import DTYPES, assert_close


def test_a_step_reads_and_counts_on_the_device(executor):
    """What is not changed is not sent again, and a change arrives in the arrays that a captured graph would know."""
    parameter = Parameter(executor.array(random_array((7,))))
    optimizer = optim.Adam([parameter], lr=0.1)
    tables = optimizer._tables[0]
    arrays = tables.arrays

    def move():
        before = executor.numpy(parameter.data).copy()
        parameter.grad = executor.array(random_array((7,), seed=1))
        optimizer.step()
        return np.abs(executor.numpy(parameter.data) - before).max()

    assert move() > 0.05
    tables.hyperparameters[0, 0] = 0
    assert move() == 0
    optimizer.param_groups[0]["lr"] = 0.2
    assert move() > 0.1
    parameter.requires_grad = False
    assert move() == 0
    parameter.requires_grad = True
    tables.steps[0] += 4
    assert optimizer.parameter_state(parameter)["step"] == 7
    assert move() > 0.1
    assert optimizer.state_dict()["state"][0]["step"] == 8
    assert all(now is then for now, then in zip(tables.arrays, arrays, strict=True))


def test_groups_need_only_their_own_state():
    """One of two dtypes, in a store of its own, has no momentum and no buffer."""
    a, b = Parameter(np.ones(3, np.float32)), Parameter(np.ones(3))
    optimizer = optim.SGD([{"params": [a], "momentum": 0.9}, {"params": [b], "lr": 0.5}], lr=0.1)
    for _ in range(2):
        a.grad, b.grad = np.ones(3, np.float32), np.ones(3)
        optimizer.step()
    assert_close(a.data, np.full(3, 1 - 0.1 - 0.19, np.float32))
    assert (b.data == 0).all()
    assert list(optimizer.state_dict()["state"]) == [0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_option
def test_one_operator_call_for_each_dtype(kind, options, dtype, monkeypatch):
    name = {optim.SGD: "sgd_step", optim.RMSprop: "rmsprop_step"}.get(kind, "adam_step")
    calls = []
    operator = getattr(ops, name)

    def counted(*arguments, **keywords):
        calls.append(arguments[0].dtype)
        operator(*arguments, **keywords)

    monkeypatch.setattr(ops, name, counted)
    mixed = parameters(dtype) + parameters(np.float64 if dtype != np.float64 else np.float32)
    optimizer = kind([{"params": mixed[:4]}, {"params": mixed[4:], "lr": 0.5}], **options)
    before = [member.data.copy() for member in mixed]
    give_gradients(mixed, 0)
    optimizer.step()
    assert len(calls) == 2
    moved = [not np.array_equal(a, b.data) for a, b in zip(before, mixed, strict=True)]
    assert moved == [member.size > 0 for member in mixed]


def test_data_and_gradients_are_views_that_keep_their_order():
    members = parameters()
    values = [member.data.copy() for member in members]
    members[0].grad = np.ones((3, 5))
    optimizer = optim.SGD(members, 0.1)
    store = optimizer._stores[0]
    for member, value in zip(members, values, strict=True):
        assert np.array_equal(member.data, value)
        assert np.shares_memory(member.data, store.data) or member.size == 0
        assert member.data.size == 0 or member.data.ctypes.data % 256 == 0
    assert members[2].data.transpose(0, 2, 3, 1).flags.c_contiguous
    assert np.shares_memory(members[0].grad, store.grad)
    assert members[1].grad is None
    members[1].accumulate_grad(np.asarray(2.0))
    members[1].accumulate_grad(np.asarray(3.0))
    assert np.shares_memory(members[1].grad, store.grad)
    assert members[1].grad == 5
    members[0].data = np.full((3, 5), 7.0)
    assert (store.data[:15] == 7).all()
    members[1].grad = None
    optimizer.step()
    assert members[1].data == values[1]
    assert_close(members[0].data, np.full((3, 5), 6.9))
    optimizer.zero_grad(set_to_none=False)
    assert (members[0].grad == 0).all()
    optimizer.zero_grad()
    assert members[0].grad is None


def test_groups_have_options_of_their_own():
    slow, fast = Parameter(np.ones(3)), Parameter(np.ones(3))
    optimizer = optim.SGD([{"params": [slow], "lr": 0.1}, {"params": fast}], lr=0.5, weight_decay=0.1)
    for member in (slow, fast):
        member.grad = np.ones(3)
    optimizer.step()
    assert_close(slow.data, np.full(3, 1 - 0.1 * 1.1))
    assert_close(fast.data, np.full(3, 1 - 0.5 * 1.1))
    late = Parameter(np.ones(2))
    optimizer.add_param_group({"params": [late], "momentum": 0.9})
    late.grad = np.ones(2)
    optimizer.step()
    assert_close(late.data, np.full(2, 1 - 0.5 * 1.1))
    assert len(optimizer.param_groups) == 3
    assert optimizer.param_groups[2]["lr"] == 0.5
    optimizer.param_groups[0]["lr"] = -1
    before = fast.data.copy()
    assert_refuses(optimizer.step, ValueError, "lr must be a finite number in [0")
    assert np.array_equal(fast.data, before)


@every_option
def test_state_moves_along_with_a_new_group(kind, options):
    members, alone = parameters(np.float32), parameters(np.float32)
    grown, whole = kind(members[:3], **options), kind(alone[:3], **options)
    for step in range(4):
        give_gradients(members[:3], step)
        give_gradients(alone[:3], step)
        grown.step()
        whole.step()
        if step == 1:
            grown.add_param_group({"params": members[3:]})
    for mine, other in zip(members[:3], alone[:3], strict=True):
        assert np.array_equal(mine.data, other.data)


def test_frozen_parameters_and_their_counts_stand_still():
    a, b = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = optim.Adam([a, b], lr=0.1)
    for _ in range(3):
        a.grad, b.grad = np.ones(2), np.ones(2)
        b.requires_grad = False
        optimizer.step()
    assert (b.data == 1).all()
    assert optimizer.parameter_state(a)["step"] == 3
    assert optimizer.parameter_state(b) == {}


@pytest.mark.parametrize("keyed_by", ["index", "name"])
@every_option
def test_a_resumed_run_has_the_same_bits(kind, options, keyed_by):
    names = [f"p{i}" for i in range(len(SHAPES))]
    straight, broken = parameters(np.float32), parameters(np.float32)
    one = kind(zip(names, straight, strict=True), **options)
    other = kind(zip(names, broken, strict=True), **options)
    for step in range(6):
        if step == 3:
            saved = other.state_dict(keyed_by)
            broken = [Parameter(member.data.copy(order="K")) for member in broken]
            order = list(range(len(SHAPES)))[::-1] if keyed_by == "name" else range(len(SHAPES))
            other = kind([(names[i], broken[i]) for i in order], **{**options, "lr": 99.0})
            other.load_state_dict(saved)
        for optimizer, members in ((one, straight), (other, broken)):
            give_gradients(members, step, skipped_at(step))
            optimizer.step()
    for mine, theirs in zip(straight, broken, strict=True):
        assert np.array_equal(mine.data, theirs.data)


@pytest.mark.parametrize("entry", [None, {}, {"momentum_buffer": None}], ids=str)
@every_option
def test_a_loaded_state_without_a_parameter_starts_it_anew(kind, options, entry):
    members, untouched = parameters(np.float32), parameters(np.float32)
    used, new = kind(members, **options), kind(untouched, **options)
    state = new.state_dict()
    if entry is not None:
        state["state"] = dict.fromkeys(range(len(members)), entry)
    for step in range(3):
        give_gradients(members, step)
        used.step()
    for mine, other in zip(members, untouched, strict=True):
        mine.data = other.data
    used.load_state_dict(state)
    assert used.state_dict()["state"] == {}
    for step in range(3, 6):
        for optimizer, parts in ((used, members), (new, untouched)):
            give_gradients(parts, step)
            optimizer.step()
    for mine, other in zip(members, untouched, strict=True):
        assert np.array_equal(mine.data, other.data)


def test_names_can_be_given_later():
    model = nn.Linear(2, 3)
    optimizer = optim.SGD(model.parameters(), momentum=0.9)
    assert_refuses(lambda: optimizer.state_dict("name"), ValueError, "parameters have no names")
    optimizer.name_parameters(model.named_parameters())
    assert optimizer.state_dict("name")["param_groups"][0]["params"] == ["weight", "bias"]


def test_a_closure_computes_gradients_first():
    member = Parameter(np.ones(2))
    optimizer = optim.SGD([member], lr=1.0)

    def closure():
        member.grad = np.full(2, 0.5)
        return 3.0

    assert optimizer.step(closure) == 3.0
    assert (member.data == 0.5).all()


def test_a_second_optimizer_takes_over_and_the_first_says_so():
    member = Parameter(np.ones(2))
    first = optim.SGD([("w", member)], lr=1.0)
    second = optim.SGD([member], lr=1.0)
    member.grad = np.ones(2)
    second.step()
    assert (member.data == 0).all()
    assert_refuses(first.step, RuntimeError, "another optimizer has taken parameter 'w'")


@pytest.mark.parametrize(
    "twin",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
    ids=["deepcopy", "pickle"],
)
def test_a_model_and_its_optimizer_are_copied_together(twin):
    def train(model, optimizer, steps):
        for step in range(steps):
            optimizer.zero_grad()
            model.backward(model(random_array((5, 3), np.float32, seed=step)))
            optimizer.step()

    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    groups = [{"params": model[0].parameters(), "lr": 0.2}, {"params": model[2].parameters()}]
    optimizer = optim.Adam(groups, lr=0.05)
    train(model, optimizer, 3)
    other, its = twin((model, optimizer))
    before = {name: array.copy() for name, array in model.state_dict().items()}
    train(other, its, 3)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    train(model, optimizer, 3)
    for name, array in model.state_dict().items():
        assert np.array_equal(other.state_dict()[name], array)
        assert not np.array_equal(before[name], array)


def test_a_model_learns():
    gpudl.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    x, target = random_array((60, 4), np.float32), np.arange(60) % 3
    x[np.arange(60), target] += 3
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.named_parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(float(criterion(model(x), target)))
        model.backward(criterion.backward())
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]

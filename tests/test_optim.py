"""Optimizers: all options against PyTorch and the oracles, groups, skipped parameters, state, flat stores."""

import copy
import itertools

import numpy as np
import pytest

import gpudl
from gpudl import nn, ops, optim
from gpudl.nn import Parameter
from tests.support.arrays import assert_refuses, bad_calls, random_array
from tests.support.oracles import optimizers as oracle
from tests.support.tolerances import DTYPES, assert_close

SHAPES = [(3, 5), (), (4, 3, 3, 2), (0, 2), (65,), (2, 1, 7)]

OPTIONS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2, "maximize": True}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    (optim.Adam, {}),
    (optim.Adam, {"lr": 0.02, "betas": (0.7, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    (optim.Adam, {"lr": 0.02, "maximize": True, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    (optim.AdamW, {"lr": 0.05}),
    (optim.AdamW, {"lr": 0.05, "weight_decay": 0.4, "amsgrad": True, "maximize": True}),
    (optim.RMSprop, {}),
    (
        optim.RMSprop,
        {"lr": 0.02, "alpha": 0.8, "eps": 1e-2, "weight_decay": 0.1, "momentum": 0.7, "centered": True},
    ),
    (optim.RMSprop, {"lr": 0.02, "maximize": True, "centered": True}),
]
OURS_ALONE = [(optim.RMSprop, {"lr": 0.02, "eps": 1e-2, "eps_inside_sqrt": True, "momentum": 0.5})]
every_option = pytest.mark.parametrize(
    ("kind", "options"), OPTIONS, ids=[f"{kind.__name__}-{sorted(options)}" for kind, options in OPTIONS]
)


def parameters(dtype=np.float64, channels_last=True):
    made = []
    for i, shape in enumerate(SHAPES):
        array = np.asarray(random_array(shape, seed=i), dtype)
        if array.ndim == 4 and channels_last:
            array = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        made.append(Parameter(array))
    return made


def give_gradients(members, step, skip=()):
    for i, member in enumerate(members):
        gradient = np.asarray(random_array(member.shape, seed=100 * step + i), member.dtype)
        member.grad = None if i in skip else gradient


def skipped_at(step):
    return (1, 4) if step % 3 == 1 else ()


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


def test_a_model_and_its_optimizer_are_copied_together():
    def train(model, optimizer, steps):
        for step in range(steps):
            optimizer.zero_grad()
            model.backward(model(random_array((5, 3), np.float32, seed=step)))
            optimizer.step()

    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    groups = [{"params": model[0].parameters(), "lr": 0.2}, {"params": model[2].parameters()}]
    optimizer = optim.Adam(groups, lr=0.05)
    train(model, optimizer, 3)
    other, its = copy.deepcopy((model, optimizer))
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


# ---- bounds on gradients, averages


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, np.inf, 0])
def test_clip_grad_norm(bound, norm_type):
    members = parameters()
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


P = Parameter(np.ones(2))


def loaded(change):
    """Load a state that `change` has spoilt."""
    members = parameters()
    optimizer = optim.Adam([(f"p{i}", member) for i, member in enumerate(members)])
    give_gradients(members, 0)
    optimizer.step()
    state = optimizer.state_dict()
    change(state)
    optimizer.load_state_dict(state)


@bad_calls(
    (
        "array",
        lambda: optim.SGD(np.ones(2)),
        TypeError,
        "params must be an iterable of Parameters or dicts, got ndarray",
    ),
    ("none", lambda: optim.Adam([]), ValueError, "params must hold at least one parameter, got none"),
    ("twice", lambda: optim.Adam([P, P]), ValueError, "params must hold each parameter once, got one twice"),
    ("arrays", lambda: optim.SGD([np.ones(2)]), TypeError, "params must hold Parameters, got ndarray"),
    (
        "half named",
        lambda: optim.SGD([P, ("b", P)]),
        ValueError,
        "params must be all named or all without names",
    ),
    ("option", lambda: optim.SGD([{"params": [P], "beta": 1}]), ValueError, "options out of lr, momentum"),
    ("lr", lambda: optim.SGD([P], lr=-1), ValueError, "SGD: lr must be a finite number in [0"),
    ("lr NaN", lambda: optim.Adam([P], lr=np.nan), ValueError, "Adam: lr must be a finite number in [0"),
    (
        "nesterov",
        lambda: optim.SGD([P], nesterov=True),
        ValueError,
        "nesterov needs momentum above 0 and dampening 0",
    ),
    (
        "betas",
        lambda: optim.AdamW([P], betas=(0.9, 1.0)),
        ValueError,
        "AdamW: betas must be below 1, got (0.9, 1.0)",
    ),
    ("one beta", lambda: optim.Adam([P], betas=0.9), ValueError, "betas must be 2 numbers, got 0.9"),
    (
        "alpha",
        lambda: optim.RMSprop([P], alpha=2),
        ValueError,
        "RMSprop: alpha must be a finite number in [0",
    ),
    ("amsgrad", lambda: optim.Adam([P], amsgrad="yes"), ValueError, "amsgrad must be one of False, True"),
    ("fused", lambda: optim.Adam([P], fused=True), TypeError, "fused"),
    ("group", lambda: optim.SGD([P]).add_param_group([P]), TypeError, "param_group must be a dict, got list"),
    ("again", lambda: optim.SGD([P]).add_param_group({"params": [P]}), ValueError, "got one twice"),
    ("keys", lambda: optim.SGD([P]).state_dict("id"), ValueError, "keyed_by must be one of 'index', 'name'"),
    (
        "stranger",
        lambda: optim.SGD([P]).parameter_state(Parameter(np.ones(1))),
        ValueError,
        "of this optimizer",
    ),
    (
        "empty state",
        lambda: optim.SGD([P]).load_state_dict({}),
        ValueError,
        "the keys 'state' and 'param_groups'",
    ),
    (
        "groups",
        lambda: loaded(lambda s: s["param_groups"].clear()),
        ValueError,
        "groups must have [6] parameters, got []",
    ),
    (
        "names",
        lambda: loaded(lambda s: s["param_groups"][0].update(param_names=["x", *"abcde"])),
        ValueError,
        "missing ['p0', 'p1'",
    ),
    (
        "shape",
        lambda: loaded(lambda s: s["state"][0].update(exp_avg=np.ones(2))),
        ValueError,
        "exp_avg of 0 must have shape (3, 5), got (2,)",
    ),
    (
        "kinds",
        lambda: loaded(lambda s: s["state"][0].pop("exp_avg")),
        ValueError,
        "must hold ['exp_avg', 'exp_avg_sq']",
    ),
    (
        "alien",
        lambda: loaded(lambda s: s["param_groups"][0].update(rho=1)),
        ValueError,
        "unknown options ['rho']",
    ),
    (
        "bad lr",
        lambda: loaded(lambda s: s["param_groups"][0].update(lr=-1)),
        ValueError,
        "lr must be a finite number",
    ),
    (
        "clip",
        lambda: optim.clip_grad_norm_([np.ones(1)], 1),
        TypeError,
        "parameters must be Parameters, got ndarray",
    ),
    (
        "max_norm",
        lambda: optim.clip_grad_norm_([P], -1),
        ValueError,
        "max_norm must be at least 0, got -1",
    ),
    (
        "clip_value",
        lambda: optim.clip_grad_value_([P], -1),
        ValueError,
        "clip_value must be a finite number in [0",
    ),
    ("ema", lambda: optim.EMA([P]), TypeError, "model must be a Module, got list"),
    (
        "decay",
        lambda: optim.EMA(nn.Linear(1, 1), 1.5),
        ValueError,
        "decay must be a finite number in [0, 1], got 1.5",
    ),
    (
        "ema state",
        lambda: optim.EMA(nn.Linear(1, 1)).load_state_dict(
            {"updates": 0, "averages": {"weight": np.ones(3), "x": 1}}
        ),
        ValueError,
        "missing bias; unexpected x; misshapen weight: expected (1, 1), got (3,)",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

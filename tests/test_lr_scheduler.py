"""Schedules: values of the formulas, PyTorch over many steps and groups, state, plots."""

import json
import math

import numpy as np
import pytest

from gpudl import optim
from gpudl.nn import Parameter
from gpudl.optim import lr_scheduler as schedules
from tests.support.arrays import assert_refuses, bad_calls


def optimizer(kind=optim.SGD, **options):
    groups = [{"params": [Parameter(np.zeros(1))], "lr": 0.5}, {"params": [Parameter(np.zeros(1))]}]
    return kind(groups, lr=2.0, **options)


CASES = [
    ("LambdaLR", {"lr_lambda": lambda t: 0.9**t}),
    ("LambdaLR", {"lr_lambda": [lambda t: 1 / (t + 1), lambda t: 1.0]}),
    ("StepLR", {"step_size": 4, "gamma": 0.3}),
    ("MultiStepLR", {"milestones": [3, 9, 9, 20], "gamma": 0.5}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.2, "total_iters": 7}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 11}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("PolynomialLR", {"total_iters": 13, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 10}),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.1}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.1}),
    ("OneCycleLR", {"max_lr": 3.0, "total_steps": 40}),
    ("OneCycleLR", {"max_lr": [3.0, 1.0], "epochs": 4, "steps_per_epoch": 10, "anneal_strategy": "linear"}),
    (
        "OneCycleLR",
        {
            "max_lr": 1.0, "total_steps": 40, "pct_start": 0.4, "three_phase": True, "base_momentum": 0.5,
            "max_momentum": [0.9, 0.8], "div_factor": 10.0, "final_div_factor": 100.0,
        },
    ),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 40, "cycle_momentum": False}),
]  # fmt: skip
every_case = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)]
)
STEPS = 39


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@every_case
def test_pytorch_agrees(name, options, kind):
    torch = pytest.importorskip("torch")
    extra = {"momentum": 0.9} if kind == "SGD" else {}
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5},
        {"params": [torch.nn.Parameter(torch.zeros(1))]},
    ]
    theirs = getattr(torch.optim, kind)(groups, lr=2.0, **extra)
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    ours = optimizer(getattr(optim, kind), **extra)
    schedule = getattr(schedules, name)(ours, **options)
    for _ in range(STEPS):
        assert schedule.get_last_lr() == pytest.approx(reference.get_last_lr(), rel=1e-9, abs=1e-12)
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            for key in ("momentum", "betas"):
                if key in other:
                    assert mine[key] == pytest.approx(other[key], rel=1e-9)
        theirs.step()
        schedule.step()
        reference.step()


@every_case
def test_a_resumed_schedule_goes_on_as_before(name, options):
    straight = optimizer(momentum=0.9)
    whole = getattr(schedules, name)(straight, **options)
    broken = optimizer(momentum=0.9)
    part = getattr(schedules, name)(broken, **options)
    for step in range(STEPS - 1):
        if step == 11:
            saved = json.loads(json.dumps(part.state_dict()))
            broken = optimizer(momentum=0.9)
            part = getattr(schedules, name)(broken, **options)
            part.load_state_dict(saved)
        assert part.get_last_lr() == whole.get_last_lr()
        part.step()
        whole.step()
        assert [g["momentum"] for g in straight.param_groups] == [g["momentum"] for g in broken.param_groups]


def test_formulas():
    simulate = schedules.simulate
    assert simulate(lambda o: schedules.StepLR(o, 2), 5) == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert simulate(lambda o: schedules.ExponentialLR(o, decay_steps=4), 6, lr=2) == pytest.approx(
        [2 * math.exp(-t / 4) for t in range(6)]
    )
    course = [0.5 * (math.cos(math.pi * t / 9) + 1) for t in range(10)]
    assert simulate(lambda o: schedules.CosineAnnealingLR(o, T_max=9), 10) == pytest.approx(course)
    assert simulate(lambda o: schedules.LinearLR(o, 0.5, total_iters=2), 4) == pytest.approx(
        [0.5, 0.75, 1, 1]
    )
    assert simulate(lambda o: schedules.OneCycleLR(o, 1.0, 10), 0) == []


def test_fractions_of_an_epoch():
    schedule = schedules.CosineAnnealingWarmRestarts(optimizer(), 4)
    schedule.step(6.5)
    assert schedule.get_last_lr()[1] == pytest.approx(1 + math.cos(math.pi * 2.5 / 4))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Detected call of", "ignore:The epoch parameter")
def test_sequences_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    ours = optim.SGD([Parameter(np.zeros(1))], lr=2.0)
    made = []
    for module, target in ((torch.optim.lr_scheduler, theirs), (schedules, ours)):
        parts = [
            module.LinearLR(target, 0.1, total_iters=5), module.CosineAnnealingLR(target, 8), module.ExponentialLR(target, 0.9),
        ]  # fmt: skip
        made.append(module.SequentialLR(target, parts, [5, 13]))
    reference, schedule = made
    resumed = schedules.SequentialLR(ours, schedule.schedulers, [5, 13])
    for _ in range(20):
        assert schedule.get_last_lr() == pytest.approx(reference.get_last_lr(), rel=1e-9, abs=1e-12)
        resumed.load_state_dict(reference.state_dict())
        assert resumed.get_last_lr() == pytest.approx(reference.get_last_lr(), rel=1e-9, abs=1e-12)
        theirs.step()
        reference.step()
        schedule.step()


def test_sequences_warm_up_and_resume():
    def make(target):
        parts = [schedules.LinearLR(target, 0.5, total_iters=2), schedules.StepLR(target, 1, 0.5)]
        return schedules.SequentialLR(target, parts, [2])

    assert schedules.simulate(make, 6) == pytest.approx([0.5, 0.75, 1, 0.5, 0.25, 0.125])
    first, second = optimizer(), optimizer()
    one, two = make(first), make(second)
    for _ in range(3):
        one.step()
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    one.step()
    two.step()
    assert one.get_last_lr() == two.get_last_lr()


PLATEAUS = [
    {},
    {"mode": "max", "patience": 1, "factor": 0.5, "cooldown": 2},
    {"patience": 0, "threshold": 0.3, "threshold_mode": "abs", "min_lr": [0.2, 0.01]},
    {"patience": 2, "threshold": 0.1, "eps": 0.3, "mode": "max", "threshold_mode": "abs"},
]


@pytest.mark.torch
@pytest.mark.parametrize("options", PLATEAUS)
def test_plateaus_agree_with_pytorch(options):
    torch = pytest.importorskip("torch")
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5},
        {"params": [torch.nn.Parameter(torch.zeros(1))]},
    ]
    theirs = torch.optim.SGD(groups, lr=2.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    ours = optimizer()
    schedule = schedules.ReduceLROnPlateau(ours, **options)
    values = np.random.default_rng(0).standard_normal(60).cumsum()
    values[7] = np.nan
    for value in values:
        reference.step(value)
        schedule.step(value)
        assert schedule.get_last_lr() == pytest.approx(reference.get_last_lr())


@pytest.mark.parametrize("options", PLATEAUS)
def test_plateaus_resume(options):
    first, second = optimizer(), optimizer()
    one, two = schedules.ReduceLROnPlateau(first, **options), schedules.ReduceLROnPlateau(second, **options)
    values = np.random.default_rng(1).standard_normal(40)
    for i, value in enumerate(values):
        if i in (0, 15):
            saved = json.loads(json.dumps(two.state_dict()))
            two = schedules.ReduceLROnPlateau(second, **options)
            two.load_state_dict(saved)
        one.step(value)
        two.step(value)
        assert one.get_last_lr() == two.get_last_lr()


def test_plateau_by_hand():
    target = optim.SGD([Parameter(np.zeros(1))], lr=1.0)
    schedule = schedules.ReduceLROnPlateau(target, patience=1, factor=0.5)
    rates = []
    for value in [3, 2, 2, 2, 2, 1, 1, 1]:
        schedule.step(value)
        rates += schedule.get_last_lr()
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_continued_runs():
    target = optimizer()
    assert_refuses(
        lambda: schedules.StepLR(target, 1, last_epoch=3), ValueError, "needs 'initial_lr' in group 0"
    )
    for group in target.param_groups:
        group["initial_lr"] = group["lr"]
    assert schedules.StepLR(target, 1, 0.5, last_epoch=2).get_last_lr() == [0.0625, 0.25]


def test_one_cycle_ends_at_its_final_rate_and_refuses_to_go_on():
    ours = optimizer(momentum=0.9)
    schedule = schedules.OneCycleLR(ours, 1.0, 5, anneal_strategy="linear", final_div_factor=10.0)
    for _ in range(5):
        schedule.step()
    final = [1 / 25 / 10] * 2
    assert schedule.get_last_lr() == pytest.approx(final)
    assert ours.param_groups[0]["momentum"] == pytest.approx(0.95)
    before = schedule.state_dict()
    for _ in range(2):
        assert_refuses(schedule.step, ValueError, "t must be at most total_steps 5, got 6")
    assert_refuses(
        lambda: schedule.load_state_dict({**before, "last_epoch": 6}),
        ValueError,
        "at most total_steps 5, got 6",
    )
    assert schedule.state_dict() == before
    ours.load_state_dict(ours.state_dict())  # all its options are still in their ranges
    sequence = schedules.SequentialLR(ours, [schedules.ConstantLR(ours), schedule], [3])
    for _ in range(8):
        sequence.step()
    assert_refuses(sequence.step, ValueError, "at most total_steps 5, got 6")
    assert sequence.last_epoch == 8


def test_a_group_that_came_later_needs_a_new_schedule():
    ours = optimizer()
    schedule = schedules.StepLR(ours, 2)
    for _ in range(3):
        schedule.step()
    ours.add_param_group({"params": Parameter(np.zeros(1)), "lr": 0.4, "initial_lr": 0.4})
    before = [group["lr"] for group in ours.param_groups]
    assert_refuses(schedule.step, ValueError, "the optimizer has 3 groups, 2 when the schedule was made")
    assert [group["lr"] for group in ours.param_groups] == before
    assert schedule.last_epoch == 3
    again = schedules.StepLR(ours, 2, last_epoch=schedule.last_epoch)
    assert again.get_last_lr() == pytest.approx([0.5 * 0.01, 2.0 * 0.01, 0.4 * 0.01])


def test_sequences_refuse_a_state_whole():
    ours = optimizer()
    parts = [schedules.LinearLR(ours), schedules.StepLR(ours, 2)]
    sequence = schedules.SequentialLR(ours, parts, [4])
    for _ in range(6):
        sequence.step()
    before, rates = sequence.state_dict(), sequence.get_last_lr()
    for wrong in (
        {**before, "base_lrs": [1.0]},
        {**before, "schedulers": [before["schedulers"][0], {}]},
        {**before, "schedulers": []},
        {"schedulers": before["schedulers"]},
        None,
    ):
        with pytest.raises(ValueError, match=r"load_state_dict: (state must|base_lrs must|expected 2)"):
            sequence.load_state_dict(wrong)
        assert sequence.state_dict() == before
        assert sequence.get_last_lr() == rates


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_state_of_an_optimizer_under_pytorch_one_cycle():
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
    cycle = torch.optim.lr_scheduler.OneCycleLR(theirs, 1.0, 10)
    for _ in range(4):
        cycle.step()
    ours = optim.SGD([Parameter(np.zeros(1))], lr=0.5, momentum=0.9)
    schedule = schedules.OneCycleLR(ours, 1.0, 10)
    ours.load_state_dict(theirs.state_dict())
    schedule.load_state_dict(cycle.state_dict())
    for _ in range(5):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"])
        assert ours.param_groups[0]["momentum"] == pytest.approx(theirs.param_groups[0]["momentum"])
        schedule.step()
        cycle.step()


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "schedule.png"
    schedules.plot(lambda o: schedules.CosineAnnealingLR(o, 10), 10, str(path))
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_a_plateau_cuts_the_rates_of_groups_that_came_later():
    one, each = optimizer(), optimizer()
    schedule = schedules.ReduceLROnPlateau(one, patience=0, factor=0.5, min_lr=0.3)
    bounded = schedules.ReduceLROnPlateau(each, patience=0, factor=0.5, min_lr=[0.3, 0.3])
    for target, plateau in ((one, schedule), (each, bounded)):
        plateau.step(1.0)
        target.add_param_group({"params": Parameter(np.zeros(1)), "lr": 0.4})
    schedule.step(2.0)
    assert schedule.get_last_lr() == pytest.approx([0.3, 1.0, 0.3])
    before, rates = bounded.state_dict(), bounded.get_last_lr()
    assert_refuses(lambda: bounded.step(2.0), ValueError, "min_lr must be a number or 3 numbers, got 2")
    assert bounded.state_dict() == before
    assert bounded.get_last_lr() == rates


@pytest.mark.parametrize(("mode", "best"), [("min", -np.inf), ("max", np.inf), ("min", np.inf), ("min", 2.5)])
def test_the_best_metric_survives_in_the_state(mode, best):
    one, other = (schedules.ReduceLROnPlateau(optimizer(), mode, patience=1, factor=0.5) for _ in range(2))
    one.step(best)
    other.load_state_dict(one.state_dict())
    assert other.best == one.best == best
    for schedule in (one, other):
        schedule.step(0.0)
    assert one.get_last_lr() == other.get_last_lr()


@pytest.mark.parametrize(
    ("wrong", "exception", "words"),
    [
        ({"best": "low"}, TypeError, "load_state_dict: best must be a number, got str"),
        ({"best": np.nan}, ValueError, "load_state_dict: best must be a number, got nan"),
        ({"last_epoch": -1}, ValueError, "load_state_dict: last_epoch must be at least 0, got -1"),
        ({"cooldown_counter": 0.5}, TypeError, "load_state_dict: cooldown_counter must be an int, got float"),
        (None, ValueError, "load_state_dict: state must be a dict, got NoneType"),
    ],
    ids=["best", "nan", "last_epoch", "cooldown_counter", "none"],
)
def test_plateaus_refuse_a_state_whole(wrong, exception, words):
    schedule = schedules.ReduceLROnPlateau(optimizer())
    schedule.step(1.0)
    before = schedule.state_dict()
    state = None if wrong is None else {**before, "num_bad_epochs": 7, **wrong}
    assert_refuses(lambda: schedule.load_state_dict(state), exception, words)
    assert schedule.state_dict() == before


@bad_calls(
    ("optimizer", lambda: schedules.StepLR(3, 1), TypeError, "optimizer must be an Optimizer, got int"),
    (
        "step_size",
        lambda: schedules.StepLR(optimizer(), 0),
        ValueError,
        "step_size must be at least 1, got 0",
    ),
    (
        "lambdas",
        lambda: schedules.LambdaLR(optimizer(), [len]),
        ValueError,
        "must be a function or 2 functions",
    ),
    (
        "gamma",
        lambda: schedules.ExponentialLR(optimizer()),
        ValueError,
        "expected one of gamma and decay_steps",
    ),
    (
        "decay_steps",
        lambda: schedules.ExponentialLR(optimizer(), decay_steps=0),
        ValueError,
        "must be above 0, got 0",
    ),
    (
        "factor",
        lambda: schedules.ConstantLR(optimizer(), 2),
        ValueError,
        "factor must be a finite number in [0",
    ),
    ("start", lambda: schedules.LinearLR(optimizer(), 0), ValueError, "start_factor must be above 0, got 0"),
    (
        "T_max",
        lambda: schedules.CosineAnnealingLR(optimizer(), 0),
        ValueError,
        "T_max must be at least 1, got 0",
    ),
    (
        "T_mult",
        lambda: schedules.CosineAnnealingWarmRestarts(optimizer(), 1, 0),
        ValueError,
        "T_mult must be at least 1",
    ),
    (
        "total",
        lambda: schedules.OneCycleLR(optimizer(), 1, epochs=3),
        ValueError,
        "expected total_steps, or epochs and",
    ),
    (
        "strategy",
        lambda: schedules.OneCycleLR(optimizer(), 1, 9, anneal_strategy="log"),
        ValueError,
        "anneal_strategy",
    ),
    (
        "max_lr",
        lambda: schedules.OneCycleLR(optimizer(), [1], 9),
        ValueError,
        "max_lr must be a number or 2 numbers",
    ),
    (
        "beyond",
        lambda: schedules.OneCycleLR(optimizer(), 1, 9).step(10),
        ValueError,
        "at most total_steps 9, got 10",
    ),
    (
        "no momentum",
        lambda: schedules.OneCycleLR(_Bare(), 1, 9),
        ValueError,
        "cycle_momentum needs an optimizer with",
    ),
    (
        "plateau",
        lambda: schedules.ReduceLROnPlateau(optimizer(), factor=1),
        ValueError,
        "factor must be below 1",
    ),
    (
        "metrics",
        lambda: schedules.ReduceLROnPlateau(optimizer()).step("low"),
        TypeError,
        "ReduceLROnPlateau.step: metrics must be a number, got 'low'",
    ),
    (
        "mode",
        lambda: schedules.ReduceLROnPlateau(optimizer(), "up"),
        ValueError,
        "mode must be one of 'min', 'max'",
    ),
    (
        "state",
        lambda: schedules.ReduceLROnPlateau(optimizer()).load_state_dict({}),
        ValueError,
        "state lacks best",
    ),
    (
        "keys",
        lambda: schedules.StepLR(optimizer(), 1).load_state_dict({}),
        ValueError,
        "'last_epoch' and 'base_lrs'",
    ),
    (
        "groups",
        lambda: schedules.StepLR(optimizer(), 1).load_state_dict({"last_epoch": 0, "base_lrs": [1]}),
        ValueError,
        "base_lrs must have 2 numbers, got 1",
    ),
    (
        "none",
        lambda: schedules.SequentialLR(optimizer(), [], []),
        ValueError,
        "one fewer than the 0 schedulers",
    ),
    (
        "alien",
        lambda: schedules.SequentialLR(optimizer(), [schedules.StepLR(optimizer(), 1)], []),
        ValueError,
        "same",
    ),
    (
        "epoch",
        lambda: schedules.StepLR(optimizer(), 1).step(-1),
        ValueError,
        "epoch must be a finite number in [0",
    ),
    ("steps", lambda: schedules.simulate(len, -1), ValueError, "steps must be at least 0, got -1"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


class _Bare:
    """An optimizer without momentum."""

    def __init__(self):
        self.param_groups = [{"lr": 1.0}]

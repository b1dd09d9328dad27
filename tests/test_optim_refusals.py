"""What optimizers, bounds on gradients and averages refuse, and with which words."""

import copy

import numpy as np

from gpudl import nn, optim
from gpudl.nn import Parameter
from tests.support.arrays import assert_refuses, bad_calls
from tests.support.optimized import give_gradients, parameters

P, Q = Parameter(np.ones(2)), Parameter(np.ones(2))


def loaded(change):
    """Load a state that `change` has spoilt."""
    members = parameters()
    optimizer = optim.Adam([(f"p{i}", member) for i, member in enumerate(members)])
    give_gradients(members, 0)
    optimizer.step()
    state = optimizer.state_dict()
    before = copy.deepcopy(state)
    state["param_groups"][0]["lr"] = 7.0
    change(state)
    try:
        optimizer.load_state_dict(state)
    finally:
        after = optimizer.state_dict()
        assert after["param_groups"] == before["param_groups"]
        for key, entry in before["state"].items():
            for name, value in entry.items():
                assert np.array_equal(after["state"][key][name], value)


@bad_calls(
    (
        "array",
        lambda: optim.SGD(np.ones(2)),
        TypeError,
        "params must be an iterable of Parameters or dicts, got ndarray",
    ),
    (
        "a set",
        lambda: optim.SGD({P}),
        TypeError,
        "params must have an order, by which state is kept, got set",
    ),
    ("a set in a group", lambda: optim.SGD([{"params": {P}}]), TypeError, "params must have an order"),
    ("none", lambda: optim.Adam([]), ValueError, "params must hold at least one parameter, got none"),
    ("twice", lambda: optim.Adam([P, P]), ValueError, "params must hold each parameter once, got one twice"),
    ("arrays", lambda: optim.SGD([np.ones(2)]), TypeError, "params must hold Parameters, got ndarray"),
    (
        "half named",
        lambda: optim.SGD([P, ("b", P)]),
        ValueError,
        "params must be all named or all without names",
    ),
    (
        "names twice",
        lambda: optim.SGD([P, Q]).name_parameters([("a", P), ("a", Q)]),
        ValueError,
        "names of parameters must differ, got ['a', 'a']",
    ),
    (
        "one name",
        lambda: optim.SGD([{"params": [P, Q], "param_names": ["a"]}]),
        ValueError,
        "param_names must have 2 names, got ['a']",
    ),
    (
        "a text of names",
        lambda: optim.SGD([{"params": [P, Q], "param_names": "ab"}]),
        TypeError,
        "names of parameters must be a list of str, got 'ab'",
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
        "text",
        lambda: loaded(lambda s: s["state"][1].update(exp_avg=np.array("1"))),
        ValueError,
        "exp_avg of 1 must hold real numbers, got <U1",
    ),
    *(
        (
            f"step {step}",
            lambda step=step: loaded(lambda s: s["state"][1].update(step=step)),
            ValueError,
            "step of 1 must be a whole number in [0, 2**63), got",
        )
        for step in (-1, 2.5, np.nan, 1e300, "1")
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
    (
        "ema text",
        lambda: optim.EMA(nn.Linear(1, 1)).load_state_dict(
            {"updates": 0, "averages": {"weight": np.ones((1, 1)), "bias": np.array(["1"])}}
        ),
        ValueError,
        "non-numeric bias: <U1",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

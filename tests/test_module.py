"""Module: names, modes, state dictionaries, conversion, and the rules of backward."""

import numpy as np
import pytest

import gpudl
from gpudl import nn
from tests.support.arrays import assert_refuses, bad_calls
from tests.support.tolerances import BFLOAT16


class Scale(nn.Module):
    """y = weight * x, with a buffer that counts calls: the smallest module of one's own."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(np.full(size, 2.0, np.float32))
        self.register_buffer("calls", np.zeros((), np.int64))
        self.register_buffer("history", None)

    def forward(self, x):
        self.calls += 1
        self.save_for_backward(x)
        return x * self.weight.data

    def backward(self, dy):
        x = self.saved_for_backward()
        self.weight.accumulate_grad((dy * x).sum(0))
        return dy * self.weight.data


class _WithoutInit(nn.Module):
    def __init__(self):
        self.layer = nn.Identity()


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.scale = Scale(4)
        self.tail = nn.Sequential(nn.Linear(4, 4, bias=False), Scale(4))

    def forward(self, x):
        return self.tail(self.scale(self.first(x)))

    def backward(self, dy):
        return self.first.backward(self.scale.backward(self.tail.backward(dy)))


NAMES = [
    "first.weight",
    "first.bias",
    "scale.weight",
    "scale.calls",
    "tail.0.weight",
    "tail.1.weight",
    "tail.1.calls",
]


def test_names_come_in_order_of_assignment():
    tower = Tower()
    assert list(tower.state_dict()) == NAMES
    assert [name for name, _ in tower.named_parameters()] == [n for n in NAMES if not n.endswith("calls")]
    assert [name for name, _ in tower.named_buffers()] == ["scale.calls", "tail.1.calls"]
    assert [name for name, _ in tower.named_modules()] == ["", "first", "scale", "tail", "tail.0", "tail.1"]
    assert [name for name, _ in tower.named_children()] == ["first", "scale", "tail"]
    assert next(name for name, _ in tower.named_parameters("net", recurse=True)) == "net.first.weight"
    assert list(tower.named_parameters(recurse=False)) == []
    assert len(list(tower.buffers())) == 2
    assert len(list(tower.children())) == 3


def test_a_shared_layer_counts_once_but_keeps_both_names_in_the_state():
    shared = nn.Linear(2, 2)
    shared.register_buffer("calls", np.zeros(()))
    pair = nn.Sequential(shared, shared)
    assert [name for name, _ in pair.named_parameters()] == ["0.weight", "0.bias"]
    assert [name for name, _ in pair.named_buffers()] == ["0.calls"]
    names = [f"{i}.{name}" for i in range(2) for name in ("weight", "bias", "calls")]
    assert list(pair.state_dict()) == names


def test_modes_reach_every_module():
    tower = Tower()
    assert tower.eval() is tower
    assert not any(module.training for module in tower.modules())
    tower.train()
    assert all(module.training for module in tower.modules())


def test_freezing_and_zero_grad():
    tower = Tower()
    tower(np.ones((2, 3), np.float32))
    tower.backward(np.ones((2, 4), np.float32))
    assert all(parameter.grad is not None for parameter in tower.parameters())
    tower.zero_grad(set_to_none=False)
    assert all((parameter.grad == 0).all() for parameter in tower.parameters())
    tower.zero_grad()
    assert all(parameter.grad is None for parameter in tower.parameters())
    assert tower.requires_grad_(False) is tower
    assert not any(parameter.requires_grad for parameter in tower.parameters())


def test_backward_needs_a_forward_of_its_own():
    tower = Tower()
    x, dy = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
    tower(x)
    tower(x)
    tower.backward(dy)
    assert_refuses(lambda: tower.backward(dy), RuntimeError, "Scale: backward without a forward before it")
    with gpudl.no_grad():
        tower(x)
    assert_refuses(lambda: tower.backward(dy), RuntimeError, "a forward under no_grad() none")


def test_no_grad_drops_what_an_earlier_call_kept_and_nests():
    layer = nn.Linear(3, 3)
    x = np.ones((1, 3), np.float32)
    layer(x)
    with gpudl.no_grad():
        with gpudl.no_grad():
            assert not gpudl.is_grad_enabled()
        assert not gpudl.is_grad_enabled()
        layer(x)
    assert gpudl.is_grad_enabled()
    assert_refuses(lambda: layer.backward(x), RuntimeError, "backward without a forward")


def test_state_dict_round_trip_copies_values_and_converts_dtypes():
    source, target = Tower(), Tower().to(np.float64)
    source(np.ones((2, 3), np.float32))
    kept = target.first.weight.data
    result = target.load_state_dict(source.state_dict())
    assert result == ([], [])
    assert target.first.weight.data is kept
    assert target.first.weight.dtype == np.float64
    for name, value in target.state_dict().items():
        assert (value == source.state_dict()[name]).all(), name
    source.first.weight.data[...] = 7
    assert not (target.first.weight.data == 7).any()


def test_strict_loading_lists_everything_and_changes_nothing():
    tower = Tower()
    before = {name: np.copy(value) for name, value in tower.state_dict().items()}
    state = dict(tower.state_dict())
    state["extra"] = np.zeros(1)
    state["first.weight"] = np.zeros((4, 5))
    state["first.bias"] = np.ones(4)
    del state["tail.0.weight"]
    with pytest.raises(ValueError) as caught:
        tower.load_state_dict(state)
    for words in (
        "misshapen first.weight: expected (4, 3), got (4, 5)",
        "missing tail.0.weight",
        "unexpected extra",
    ):
        assert words in str(caught.value)
    assert all((before[name] == value).all() for name, value in tower.state_dict().items())


@pytest.mark.parametrize(
    "value", [np.full((4, 3), "a"), np.ones((4, 3), complex), [[None] * 3] * 4], ids=type
)
def test_loading_what_is_no_number_changes_nothing(value):
    tower = Tower()
    before = {name: np.copy(array) for name, array in tower.state_dict().items()}
    state = {"first.bias": np.ones(4), "first.weight": value, "scale.weight": np.ones(4)}
    assert_refuses(lambda: tower.load_state_dict(state, strict=False), ValueError, "non-numeric first.weight")
    assert all((before[name] == array).all() for name, array in tower.state_dict().items())


def test_loading_into_what_is_read_only_changes_nothing():
    tower = Tower()
    tower.first.bias.data = np.broadcast_to(np.float32(1), (4,))
    before = {name: np.copy(array) for name, array in tower.state_dict().items()}
    state = {name: array + 1 for name, array in before.items()}
    assert_refuses(lambda: tower.load_state_dict(state), ValueError, "load_state_dict: read-only first.bias")
    assert all((before[name] == array).all() for name, array in tower.state_dict().items())
    del state["first.bias"]
    tower.load_state_dict(state, strict=False)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_pytorch_state_is_taken_as_it_is(dtype):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(3, 2, dtype=getattr(torch, dtype))
    ours = nn.Linear(3, 2, dtype=dtype)
    for state in (theirs.state_dict(), dict(theirs.named_parameters())):
        ours.weight.data[...] = 0
        ours.load_state_dict(state)
        assert (ours.weight.data == theirs.weight.detach().float().numpy()).all()


def test_loose_loading_says_what_it_left_out():
    tower = Tower()
    result = tower.load_state_dict({"first.bias": np.full(4, 3.0), "extra": np.zeros(1)}, strict=False)
    assert result.unexpected_keys == ["extra"]
    assert result.missing_keys == [name for name in NAMES if name != "first.bias"]
    assert (tower.first.bias.data == 3).all()
    assert_refuses(
        lambda: tower.load_state_dict({"first.bias": np.zeros(5)}, strict=False),
        ValueError,
        "misshapen first.bias",
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", np.float64, BFLOAT16], ids=str)
def test_to_converts_parameters_and_floating_buffers_only(dtype):
    tower = Tower()
    assert tower.to(dtype) is tower
    assert {parameter.dtype for parameter in tower.parameters()} == {np.dtype(dtype)}
    assert tower.scale.calls.dtype == np.int64
    assert tower.state_dict()["scale.calls"] is tower.scale.calls
    tower.to("cpu", dtype=np.float32)
    assert tower.first.weight.dtype == np.float32


def test_a_buffer_that_is_assigned_stays_in_the_state():
    scale = Scale(2)
    scale.calls = np.array(5)
    assert scale.state_dict()["calls"] == 5
    assert "history" not in scale.state_dict()


def test_a_buffer_can_be_absent_come_and_go():
    scale = Scale(2)
    scale.history = np.zeros(3)  # registered as None
    assert list(scale.state_dict()) == ["weight", "calls", "history"]
    scale.calls = None
    assert list(scale.state_dict()) == ["weight", "history"]
    assert scale.to(np.float64).history.dtype == np.float64
    del scale.history
    assert list(scale.state_dict()) == ["weight"]


def test_a_parameter_is_not_replaced_by_an_array():
    layer = nn.Linear(2, 3)
    kept = layer.weight
    assert_refuses(
        lambda: setattr(layer, "weight", np.zeros((3, 2), np.float32)),
        TypeError,
        "weight must be a Parameter or None, got ndarray",
    )
    assert layer.weight is kept
    layer.weight, layer.bias = nn.Parameter(np.ones((3, 2), np.float32)), None
    assert list(layer.state_dict()) == ["weight"]
    assert (layer(np.ones((1, 2), np.float32)) == 2).all()


def test_a_model_that_is_held_in_part_is_not_converted_in_part():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = gpudl.optim.SGD(model[2].parameters(), lr=0.1)
    assert_refuses(lambda: model.to(np.float64), ValueError, "an optimizer holds this parameter")
    assert {array.dtype for array in model.state_dict().values() if array.ndim} == {np.dtype(np.float32)}
    assert model.to(np.float32, device="cpu") is model
    model.backward(model(np.ones((2, 2), np.float32)))
    optimizer.step()


def test_apply_goes_children_first():
    order = []
    Tower().apply(lambda module: order.append(type(module).__name__))
    assert order == ["Linear", "Scale", "Linear", "Scale", "Sequential", "Tower"]


def test_repr_shows_the_tree():
    text = repr(Tower())
    assert text.splitlines()[0] == "Tower("
    assert "  (first): Linear(3, 4)" in text
    assert "    (0): Linear(4, 4, bias=False)" in text


@bad_calls(
    (
        "frozen",
        lambda: nn.Linear(1, 1).requires_grad_("no"),
        TypeError,
        "requires_grad must be a bool, got str",
    ),
    (
        "strict",
        lambda: nn.Linear(1, 1).load_state_dict({}, strict="no"),
        TypeError,
        "strict must be a bool, got str",
    ),
    ("no forward", lambda: nn.Module()(1), NotImplementedError, "Module does not define forward"),
    ("no backward", lambda: nn.Module().backward(1), NotImplementedError, "Module does not define backward"),
    ("mode", lambda: nn.Linear(1, 1).train("yes"), ValueError, "mode must be a bool, got 'yes'"),
    (
        "dtype",
        lambda: nn.Linear(1, 1).to(np.int32),
        TypeError,
        "dtype must be float16, bfloat16, float32 or float64",
    ),
    ("no dtype", lambda: nn.Linear(1, 1).to("gpu"), TypeError, "got 'gpu'"),
    ("device", lambda: nn.Linear(1, 1).to(device="tpu"), ValueError, "to: device: expected one of"),
    ("two dtypes", lambda: nn.Linear(1, 1).to(np.float16, "float64"), ValueError, "to: expected one dtype"),
    ("two devices", lambda: nn.Linear(1, 1).to("cpu", device="cuda"), ValueError, "to: expected one device"),
    (
        "state",
        lambda: nn.Linear(1, 1).load_state_dict(None),
        TypeError,
        "state must be a dict of arrays, got",
    ),
    (
        "no init",
        lambda: _WithoutInit(),
        AttributeError,
        "_WithoutInit: call super().__init__() before parameters and modules",
    ),
    ("buffer name", lambda: Scale(1).register_buffer("a.b", None), ValueError, "without dots, got 'a.b'"),
    ("taken", lambda: Scale(1).register_buffer("weight", None), ValueError, "an attribute 'weight' already"),
    (
        "no array",
        lambda: Scale(1).register_buffer("a", [1]),
        TypeError,
        "array must be a NumPy or CuPy array",
    ),
    (
        "buffer",
        lambda: setattr(Scale(1), "calls", 3),
        TypeError,
        "buffer calls must be an array or None, got",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

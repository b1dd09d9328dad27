"""Properties: for any arguments and shapes, layers and losses give PyTorch's values and gradients, or both refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudl import nn
from tests.support.arrays import LAYOUTS, random_array, with_layout

pytestmark = pytest.mark.torch

FLAGS = st.booleans()
# float64 on both sides, values of about 1. Absolute too: gradients of norms are what is left of terms that cancel,
# and nothing but rounding is left where a group has one value.
TOLERANCE = 1e-9


def assert_near(actual, expected):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE)


def pairs(low, high):
    return st.one_of(st.integers(low, high), st.tuples(st.integers(low, high), st.integers(low, high)))


def images(channels):
    batched = st.tuples(st.integers(0, 3), channels, st.integers(1, 9), st.integers(1, 8))
    return st.tuples(batched, FLAGS).map(lambda drawn: drawn[0] if drawn[1] else drawn[0][1:])


@st.composite
def convolutions(draw, axes):
    groups, per_group, out = (draw(st.integers(1, 3)) for _ in range(3))

    def numbers(low, high):
        several = st.tuples(*[st.integers(low, high)] * axes)
        return draw(st.one_of(st.integers(low, high), several))

    padding = draw(st.sampled_from(["same", "valid", "numbers", "numbers"]))
    arguments = {
        "kernel_size": numbers(1, 4), "stride": 1 if padding == "same" else numbers(1, 3),
        "padding": numbers(0, 2) if padding == "numbers" else padding, "dilation": numbers(1, 2), "groups": groups,
        "bias": draw(FLAGS), "padding_mode": draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    }  # fmt: skip
    extents = draw(st.tuples(*[st.integers(1, 9)] * axes))
    batch = draw(st.sampled_from([(), (0,), (1,), (3,)]))
    return (groups * per_group, groups * out), arguments, (*batch, groups * per_group, *extents)


@st.composite
def pools(draw, name):
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    arguments = {
        "kernel_size": kernel, "stride": draw(st.one_of(st.none(), pairs(1, 3))),
        "padding": tuple(draw(st.integers(0, extent // 2)) for extent in kernel), "ceil_mode": draw(FLAGS),
    }  # fmt: skip
    if name == "MaxPool2d":
        # PyTorch writes beyond dx where dilation leaves a window wholly in the padding.
        arguments["dilation"] = 1 if any(arguments["padding"]) else draw(pairs(1, 2))
        arguments["return_indices"] = draw(FLAGS)
    else:
        arguments["count_include_pad"] = draw(FLAGS)
        arguments["divisor_override"] = draw(st.one_of(st.none(), st.integers(1, 7)))
    return (), arguments, draw(images(st.integers(1, 3)))


@st.composite
def adaptive_pools(draw, name):
    extent = st.one_of(st.none(), st.integers(1, 9))
    arguments = {"output_size": draw(st.one_of(st.integers(1, 9), st.tuples(extent, extent)))}
    if name == "AdaptiveMaxPool2d":
        arguments["return_indices"] = draw(FLAGS)
    return (), arguments, draw(images(st.integers(1, 3)))


@st.composite
def norms(draw, name):
    eps = draw(st.sampled_from([1e-5, 1e-2]))
    if name == "LayerNorm":
        shape = tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=4)))
        inner = shape[-draw(st.integers(1, len(shape) - 1)) :]
        arguments = {"eps": eps, "elementwise_affine": draw(FLAGS), "bias": draw(FLAGS)}
        return (inner,), arguments, shape
    if name == "GroupNorm":
        groups, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        shape = (draw(st.integers(0, 3)), groups * channels, *draw(st.lists(st.integers(1, 5), max_size=3)))
        return (groups, groups * channels), {"eps": eps, "affine": draw(FLAGS)}, shape
    axes = {"BatchNorm1d": st.integers(0, 1), "BatchNorm2d": st.just(2)}[name]
    shape = (
        draw(st.integers(0, 4)),
        draw(st.integers(1, 4)),
        *[draw(st.integers(1, 5)) for _ in range(draw(axes))],
    )
    arguments = {
        "eps": eps, "momentum": draw(st.sampled_from([0.1, 0.7, None])), "affine": draw(FLAGS),
        "track_running_stats": draw(FLAGS),
    }  # fmt: skip
    return (shape[1],), arguments, shape


LAYERS = {
    "Conv1d": convolutions(1),
    "Conv2d": convolutions(2),
    **{name: pools(name) for name in ("MaxPool2d", "AvgPool2d")},
    **{name: adaptive_pools(name) for name in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d")},
    **{name: norms(name) for name in ("BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm")},
}


def outcome(call):
    """(result, None), or (None, the exception) for those that a bad argument raises."""
    try:
        return call(), None
    except (ValueError, TypeError, RuntimeError) as error:
        return None, error


def assert_same_outcome(theirs, ours):
    assert (theirs[1] is None) == (ours[1] is None), f"PyTorch: {theirs[1]}, ours: {ours[1]}"
    assert ours[1] is None or isinstance(ours[1], ValueError | TypeError)


@pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("name", LAYERS)
@given(data=st.data())
def test_layers(name, data):
    torch = pytest.importorskip("torch")
    positional, arguments, shape = data.draw(LAYERS[name])
    parameters = {"dtype": np.float64} if "Pool" not in name else {}
    theirs = getattr(torch.nn, name)(*positional, **arguments).double()
    ours = getattr(nn, name)(*positional, **arguments, **parameters)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    training = data.draw(FLAGS)
    theirs.train(training)
    ours.train(training)
    x = with_layout(random_array(shape, seed=1), data.draw(st.sampled_from(LAYOUTS)))
    tensor = torch.from_numpy(np.array(x, order="C")).requires_grad_()
    expected, actual = outcome(lambda: theirs(tensor)), outcome(lambda: ours(x))
    assert_same_outcome(expected, actual)
    if actual[1] is not None:
        return
    expected, actual = expected[0], actual[0]
    if isinstance(expected, tuple):
        assert np.array_equal(actual[1], expected[1].numpy())
        expected, actual = expected[0], actual[0]
    assert_near(actual, expected.detach().numpy())
    dy = random_array(actual.shape, seed=2)
    expected.backward(torch.from_numpy(dy))
    assert_near(ours.backward(dy), tensor.grad.numpy())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_near(mine.grad, other.grad.numpy())
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert_near(mine, other.numpy())


@st.composite
def losses(draw, name):
    """(arguments, arrays among them, prediction, target)."""
    reduction = draw(
        st.sampled_from(["mean", "sum", "none"] + (["batchmean"] if name == "KLDivLoss" else []))
    )
    arguments, arrays = {"reduction": reduction}, {}
    numbers = np.random.default_rng(draw(st.integers(0, 99)))
    if name in ("CrossEntropyLoss", "NLLLoss"):
        classes, extra = draw(st.integers(1, 5)), draw(st.lists(st.integers(1, 3), max_size=2))
        batch = draw(st.sampled_from([(), (0,), (1,), (4,)]))
        shape = (*batch, classes, *(extra if batch else ()))
        prediction = numbers.standard_normal(shape) * draw(st.sampled_from([1, 1e4]))
        target = numbers.integers(0, classes, (*batch, *(extra if batch else ())))
        if draw(FLAGS):
            arrays["weight"] = numbers.random(classes) + 0.1
        if name == "CrossEntropyLoss":
            arguments["label_smoothing"] = draw(st.sampled_from([0.0, 0.2, 1.0]))
            if draw(FLAGS):
                return arguments, arrays, prediction, numbers.random(shape)
        arguments["ignore_index"] = draw(st.sampled_from([-100, 0, classes - 1]))
        return arguments, arrays, prediction, target
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    prediction, target = numbers.standard_normal(shape), numbers.random(shape)
    if name == "BCELoss":
        prediction = np.asarray(numbers.random(shape))
    if name.startswith("BCE"):
        tail = shape[draw(st.integers(0, len(shape))) :]
        names = ["weight"] + (["pos_weight"] if "Logits" in name else [])
        arrays = {key: np.asarray(numbers.random(tail) + 0.1) for key in names if draw(FLAGS)}
    if name == "SmoothL1Loss":
        arguments["beta"] = draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    if name == "HuberLoss":
        arguments["delta"] = draw(st.sampled_from([0.5, 1.0, 3.0]))
    if name == "KLDivLoss":
        arguments["log_target"] = draw(FLAGS)
    return arguments, arrays, np.asarray(prediction), np.asarray(target)


LOSSES = ("CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "SmoothL1Loss",
          "HuberLoss", "KLDivLoss")  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # PyTorch's advice on KLDivLoss
@pytest.mark.parametrize("name", LOSSES)
@given(data=st.data())
def test_losses(name, data):
    torch = pytest.importorskip("torch")
    arguments, arrays, prediction, target = data.draw(losses(name))
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    theirs, ours = getattr(torch.nn, name)(**arguments, **tensors), getattr(nn, name)(**arguments, **arrays)
    tensor = torch.from_numpy(prediction.copy()).requires_grad_()
    expected = outcome(lambda: theirs(tensor, torch.from_numpy(np.asarray(target))))
    actual = outcome(lambda: ours(prediction, np.asarray(target)))
    assert_same_outcome(expected, actual)
    if actual[1] is not None:
        return
    expected, actual = expected[0], actual[0]
    assert_near(actual, expected.detach().numpy())
    gradient = np.asarray(random_array(actual.shape, seed=3))
    expected.backward(torch.from_numpy(gradient))
    assert_near(ours.backward(gradient), tensor.grad.numpy())

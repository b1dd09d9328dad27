"""Softmax and log-softmax: both directions, any axis, extreme values."""

import numpy as np
import pytest

import gpudl
from gpudl import nn, ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.oracles import softmax as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

FORMS = {
    "softmax": (ops.softmax_forward, ops.softmax_backward, oracle.softmax_forward),
    "log_softmax": (ops.log_softmax_forward, ops.log_softmax_backward, oracle.log_softmax_forward),
}
CASES = [((1,), 0), ((7, 1), 1), ((33, 31), 1), ((4, 3, 5), 1), ((2, 3, 4, 5), 1), ((2, 3, 4, 5), -1), ((3, 4), 0),
         ((0, 5), 1), ((5, 0), 1), ((2, 100_003), 1)]  # fmt: skip

# Half precision is computed in float32, so that only the last rounding counts; the sum over 100003 classes in
# float32 is pairwise and keeps about six digits of the scale.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
def test_forward(executor, form, shape, axis, dtype):
    x = random_array(shape, dtype, scale=3.0)
    y = FORMS[form][0](executor.array(x), axis)
    assert y.dtype == dtype
    assert_close(executor.numpy(y), FORMS[form][2](x, axis))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("shape", "axis"), [((1,), 0), ((3, 7), 1), ((3, 7), 0), ((2, 3, 2, 2), 1), ((2, 3, 4), -2)]
)
def test_backward_is_the_gradient(executor, form, shape, axis):
    forward, backward, reference = FORMS[form]
    x, dy = random_array(shape), random_array(shape, seed=1)
    dx = backward(executor.array(dy), forward(executor.array(x), axis), axis)
    expected = numerical_gradient(lambda v: reference(v, axis), x, dy)
    # The gradient of a single class is 0: differences leave only their own error there.
    assert np.abs(executor.numpy(dx) - expected).max() <= 1e-8


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_backward_in_every_dtype(executor, form, dtype):
    forward, backward, _ = FORMS[form]
    dy, y = random_array((5, 9), dtype, seed=1), forward(random_array((5, 9), dtype), 1)
    dx = backward(executor.array(dy), executor.array(y), 1)
    assert dx.dtype == dtype
    assert_close(executor.numpy(dx), backward(dy.astype(np.float64), y.astype(np.float64), 1), dtype)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(executor, form, layout):
    x = executor.array(with_layout(random_array((2, 3, 4, 5)), layout))
    with unmodified(x):
        y = FORMS[form][0](x, 1)
        FORMS[form][1](x, y, 1)
    assert_close(executor.numpy(y), FORMS[form][2](executor.numpy(x), 1))
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous


def test_logits_of_ten_thousand(executor):
    x = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -1e4]], np.float32)
    assert (executor.numpy(ops.softmax_forward(executor.array(x), 1))[0] == [1, 0, 0]).all()
    logs = executor.numpy(ops.log_softmax_forward(executor.array(x), 1))
    assert (logs[0] == [0, -1e4, -2e4]).all()
    assert_close(logs[1], np.full(3, -np.log(3)))


def test_special_values_stay_in_their_row(executor):
    inf, nan = np.inf, np.nan
    x = np.array([[nan, 0, 1], [inf, 0, 1], [-inf, -inf, -inf], [-inf, 0, 0], [0, 0, 0]])
    for form, (forward, _, _) in FORMS.items():
        y = executor.numpy(forward(executor.array(x), 1))
        assert np.isnan(y[:3]).any(axis=1).all(), form
        assert np.isnan(y[0]).all()
        assert y[3, 0] == (0 if form == "softmax" else -inf)
        assert np.isfinite(y[4]).all()


@pytest.mark.parametrize("shape", [(3001, 97), (20_001, 11)], ids=["wide rows", "narrow rows"])
def test_same_bits_for_any_thread_count(shape):
    x = random_array(shape, np.float32)
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        y, logs = ops.softmax_forward(x, 1), ops.log_softmax_forward(x, 1)
        parts = (y, logs, ops.softmax_backward(x, y, 1), ops.log_softmax_backward(x, logs, 1))
        results.add(b"".join(part.tobytes() for part in parts))
    gpudl.set_num_threads(before)
    assert len(results) == 1


@pytest.mark.parametrize("form", FORMS)
def test_out(form):
    x, out = random_array((2, 3, 4)), np.zeros((2, 3, 4))
    assert FORMS[form][0](x, 1, out=out) is out
    assert_close(out, FORMS[form][2](x, 1))
    back = np.zeros((2, 3, 4))
    assert FORMS[form][1](x, out, 1, out=back) is back
    assert_close(back, FORMS[form][1](x, out, 1))


@pytest.mark.parametrize(("layer", "form"), [(nn.Softmax, "softmax"), (nn.LogSoftmax, "log_softmax")])
def test_layers(layer, form):
    module = layer(dim=-1)
    x, dy = random_array((3, 4)), random_array((3, 4), seed=1)
    y = module(x)
    assert_close(y, FORMS[form][2](x, -1))
    expected = numerical_gradient(lambda v: FORMS[form][2](v, -1), x, dy)
    assert_close(module.backward(dy), expected, tolerance=FINITE_DIFFERENCE)
    module.input_requires_grad = False
    module(x)
    assert module.backward(dy) is None
    assert repr(module) == f"{layer.__name__}(dim=-1)"


X = np.ones((2, 3), np.float32)


@bad_calls(
    ("list", lambda: ops.softmax_forward([1.0], 0), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("axis", lambda: ops.softmax_forward(X, 2), ValueError, "axis must be in [-2, 2), got 2"),
    ("axis type", lambda: ops.log_softmax_forward(X, None), TypeError, "axis must be an int, got NoneType"),
    (
        "scalar",
        lambda: ops.softmax_forward(np.ones(()), 0),
        ValueError,
        "x must have at least one axis",
    ),
    ("out", lambda: ops.softmax_forward(X, 1, out=X[:1]), ValueError, "out must have shape (2, 3)"),
    ("overlap", lambda: ops.softmax_forward(X, 1, out=X), ValueError, "out must not share memory with x"),
    ("y", lambda: ops.softmax_backward(X, X[:1], 1), ValueError, "y must have shape (2, 3), that of dy"),
    ("dim", lambda: nn.Softmax(), ValueError, "Softmax: dim must be an int, the axis to normalise"),
    ("layer axis", lambda: nn.LogSoftmax(2)(X), ValueError, "axis must be in [-2, 2), got 2"),
    ("backward first", lambda: nn.Softmax(1).backward(X), RuntimeError, "backward without a forward"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

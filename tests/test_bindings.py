"""A wrong call into the compiled kernels raises and names the argument; nothing is written and nothing crashes."""

import array

import ml_dtypes
import numpy as np
import pytest

from gpudl import _backend
from tests.support.arrays import assert_refuses, bad_calls, with_layout
from tests.support.kernels import checked, require_simt

X = np.ones(6, np.float32)
SEGMENT, COUNT, TICKET = np.array([[0, 6, 0]]), np.zeros(1, np.int64), np.zeros(1, np.uint32)


def kernels():
    require_simt()
    return _backend._load("simt")


def read_only(values):
    copy = values.copy()
    copy.flags.writeable = False
    return copy


class Interface:
    """An array that says of itself what it likes."""

    def __init__(self, **changes):
        self.__array_interface__ = X.__array_interface__ | changes


def refused(call):
    return lambda: call(kernels())


@bad_calls(
    ("list", refused(lambda k: k.relu_forward([1.0], X)), TypeError, "relu_forward: x must be an array"),
    ("None", refused(lambda k: k.relu_forward(None, X)), TypeError, "x must be an array"),
    ("dtype", refused(lambda k: k.relu_forward(X.astype(int), X)), TypeError, "x must be one of float16, bfloat16"),
    ("complex", refused(lambda k: k.relu_forward(X.astype("c8"), X)), TypeError, "x: dtype <c8 is not supported"),
    ("byte order", refused(lambda k: k.relu_forward(X.astype(">f4"), X)), TypeError, "dtype >f4"),
    ("void", refused(lambda k: k.relu_forward(np.zeros(6, "V2"), X)), TypeError, "dtype |V2"),
    ("dtypes", refused(lambda k: k.relu_forward(X, X.astype("f8"))), TypeError, "y must have the dtype of x, float32, got float64"),
    ("shapes", refused(lambda k: k.relu_forward(X, X[:3])), ValueError, "y must have shape (6,), that of x, got (3,)"),
    ("rank", refused(lambda k: k.relu_forward(X.reshape(2, 3), X.reshape(2, 3))), ValueError, "x must have 1 axes, got shape (2, 3)"),
    ("strides", refused(lambda k: k.relu_forward(X[::2], X[:3])), ValueError, "x must be C-contiguous"),
    ("backwards", refused(lambda k: k.relu_forward(X[::-1], X)), ValueError, "x must be C-contiguous"),
    ("unaligned", refused(lambda k: k.relu_forward(with_layout(X, "unaligned"), X)), ValueError, "x must be aligned"),
    ("read-only", refused(lambda k: k.relu_forward(X, read_only(X))), ValueError, "y must be writeable"),
    ("too many", refused(lambda k: k.relu_forward(X, X, X)), TypeError, "takes 2 arrays, got 3"),
    ("missing", refused(lambda k: k.relu_forward(X)), TypeError, "y is missing"),
    ("twice", refused(lambda k: k.relu_forward(X, X, x=X)), TypeError, "x is given twice"),
    ("unknown", refused(lambda k: k.relu_forward(X, X, slope=1)), TypeError, "there is no argument slope"),
    ("no number", refused(lambda k: k.elu_forward(X, X)), TypeError, "alpha is missing"),
    ("text", refused(lambda k: k.elu_forward(X, X, alpha="1")), TypeError, "alpha must be a float, got '1'"),
    ("negative", refused(lambda k: k.philox_uint32(X.view("u4"), seed=-1, stream=0, start=0)), TypeError, "seed must be an int in [0, 2^64), got -1"),
    ("large", refused(lambda k: k.philox_uint32(X.view("u4"), seed=2**64, stream=0, start=0)), TypeError, "seed must be an int in"),
    ("large int", refused(lambda k: k.kl_div_forward(X, X, X.copy(), None, scale=1.0, log_target=2**63)), TypeError, "log_target must be an int in [-2^63, 2^63), got 9223372036854775808"),
    ("one of two", refused(lambda k: k.max_pool2d_forward(X, X, None, kernel_size=(1, 2**63), stride=(1, 1), padding=(0, 0), dilation=(1, 1))), TypeError, "kernel_size must be 2 ints in [-2^63, 2^63), got (1, 9223372036854775808)"),
    ("buffer's byte order", refused(lambda k: k.relu_forward(memoryview(X.astype(">f4")), X)), TypeError, "x: dtype >f is not supported"),
    ("buffer of complex", refused(lambda k: k.relu_forward(memoryview(X.astype("c8")), X.astype("f8"))), TypeError, "x: dtype Zf is not supported"),
    ("huge shape", refused(lambda k: k.relu_forward(Interface(shape=(2**40, 2**40)), X)), ValueError, "x has too large a shape"),
    ("negative shape", refused(lambda k: k.relu_forward(Interface(shape=(-1,)), X)), ValueError, "x has a negative extent"),
    ("no memory", refused(lambda k: k.relu_forward(Interface(data=(0, False)), X)), ValueError, "x has no memory"),
    ("no shape", refused(lambda k: k.relu_forward(Interface(shape=3), X)), TypeError, "x must be an array"),
    ("few strides", refused(lambda k: k.relu_forward(Interface(strides=(4, 4)), X)), ValueError, "as many strides as axes"),
    ("piece", refused(lambda k: k.concat_forward([X[None], X[None].astype("f8")], np.empty((1, 12), "f4"))), TypeError, "concat_forward: arrays must all be float32, got float64"),
    ("no such grid", refused(lambda k: k.relu_forward(Interface(shape=(2**43,)), Interface(shape=(2**43,)))), ValueError, "relu_forward: too many elements for one launch"),
    ("columns", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 5)), COUNT, TICKET, X.copy(), None)), ValueError, "hyperparameters must have shape (1, 6)"),
    ("counts", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 6)), SEGMENT[0], TICKET, X.copy(), None)), ValueError, "steps must have shape (1,), one per segment"),
    ("tickets", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 6)), COUNT, np.zeros(2, "u4"), X.copy(), None)), ValueError, "ticket must have shape (1,), a counter of the kernel, got (2,)"),
    ("ticket's dtype", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 6)), COUNT, COUNT, X.copy(), None)), TypeError, "ticket must be one of uint32, got int64"),
    ("frozen ticket", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 6)), COUNT, read_only(TICKET), X.copy(), None)), ValueError, "ticket must be writeable"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    before = X.copy()
    assert_refuses(call, exception, words)
    assert np.array_equal(X, before)


@pytest.mark.parametrize(
    ("segment", "has_buffer"),
    [
        ([0, 7, 0], True), ([-1, 2, 0], True), ([1, 2**63 - 1, 0], True), ([2**62, 1, 0], True), ([0, -1, 0], True),
        ([0, 6, 1], True), ([0, 6, -1], True), ([0, 6, 0], False),
    ],
    ids=["beyond", "before", "overflow", "far", "negative", "row", "no row", "no buffer"],
)  # fmt: skip
def test_segments_on_a_device_that_do_not_fit_are_left_alone(segment, has_buffer):
    """Nobody looks at a table on a device before its kernel does."""
    param, buffer, steps, ticket = X.copy(), X.copy(), np.zeros(1, np.int64), np.zeros(1, np.uint32)
    state = buffer if has_buffer else None
    kernels().sgd_step(X, np.array([segment]), np.ones((1, 6)), steps, ticket, param, state)
    assert np.array_equal(param, X)
    assert np.array_equal(buffer, X)
    assert steps[0] == ticket[0] == 0


def test_what_a_table_on_a_device_says_does_no_harm():
    """Segments out of order, beyond the arrays, over each other, at random: what is not left alone is updated."""
    rng = np.random.default_rng(0)
    wild = np.array([0, 1, 700, 2999, 3000, 3001, -1, 2**62, 2**63 - 1, -(2**63)])
    for _ in range(40):
        count = int(rng.integers(1, 100))
        segments = np.where(
            rng.random((count, 3)) < 0.1, rng.choice(wild, (count, 3)), rng.integers(0, 3000, (count, 3))
        )
        segments[:, 2] = rng.choice([-1, 0, 0, 0, 1], count)
        steps, ticket, param = np.zeros(count, np.int64), np.zeros(1, np.uint32), np.zeros(3000)
        with checked("random", seed=count) as executor:
            run = _backend.executor(np.empty(0)).sgd_step
            run(np.ones(3000), segments, np.array([[-1.0, 0, 0, 0, 0, 0]]), steps, ticket, param, None)
            assert [str(finding) for finding in executor.findings()] == []
        fits = (segments >= 0).all(1) & (segments[:, 0] <= 3000) & (segments[:, 1] <= 3000 - segments[:, 0])
        fits &= segments[:, 2] == 0
        most = np.zeros(3000)
        for offset, length, _row in segments[fits]:
            most[offset : offset + length] += 1
        assert ((param >= 0) & (param <= most) & (param == np.rint(param))).all()
        assert ticket[0] == 0


@pytest.mark.parametrize("ticket", [1, 5, 6, 2**32 - 1])
def test_a_ticket_on_a_device_that_is_not_0_does_no_harm(ticket):
    """Steps may then go uncounted; what is updated is right."""
    size, steps, tickets = 3000, np.array([3]), np.array([ticket], np.uint32)
    grad, param, buffer = np.ones(size), np.ones(size), np.ones(size)
    table = np.array([[0.5, 0.5, 0, 0, 0, 0]])
    kernels().sgd_step(grad, np.array([[0, size, 0]]), table, steps, tickets, param, buffer)
    assert (param == 1 - 0.5 * 1.5).all()
    assert steps[0] in (3, 4)
    assert tickets[0] < 6  # blocks of 512 elements


def test_array_protocols():
    x = array.array("f", [-1.0, 2.0])
    y = np.empty(2, np.float32)
    kernels().relu_forward(x, y)
    assert y.tolist() == [0, 2]
    kernels().relu_forward(x=memoryview(x), y=y)
    half = np.array([-1, 2], ml_dtypes.bfloat16)
    out = np.empty_like(half)
    kernels().relu_forward(half, y=out)
    assert out.tolist() == [0, 2]
    empty = np.empty(0)
    kernels().relu_forward(empty, empty)

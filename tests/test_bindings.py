"""A wrong call into the compiled kernels raises and names the argument; nothing is written and nothing crashes."""

import array

import ml_dtypes
import numpy as np
import pytest

from gpudl import _backend
from tests.support.arrays import assert_refuses, bad_calls, with_layout
from tests.support.kernels import require_simt

X = np.ones(6, np.float32)
SEGMENT, COUNT = np.array([[0, 6, 0]]), np.zeros(1, np.int64)


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
    ("columns", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 5)), COUNT, X.copy(), None)), ValueError, "hyperparameters must have shape (1, 6)"),
    ("counts", refused(lambda k: k.sgd_step(X, SEGMENT, np.zeros((1, 6)), SEGMENT[0], X.copy(), None)), ValueError, "steps must have shape (1,), one per segment"),
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
    param, buffer, steps = X.copy(), X.copy(), np.zeros(1, np.int64)
    kernels().sgd_step(X, np.array([segment]), np.ones((1, 6)), steps, param, buffer if has_buffer else None)
    assert np.array_equal(param, X)
    assert np.array_equal(buffer, X)
    assert steps[0] == 0


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

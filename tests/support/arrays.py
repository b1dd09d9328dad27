"""Inputs of every awkward kind, and the executors they run on."""

import contextlib

import numpy as np
import pytest

import gpudl
from gpudl import _backend


class Executor:
    """One of numpy, simt and cuda: makes its arrays and reads them back."""

    def __init__(self, name):
        self.name = name
        self.backend = "cpu" if name == "numpy" else name

    def array(self, values, dtype=None):
        """`values` as an array of this executor, strides and read-only flag kept where NumPy holds it."""
        values = np.asarray(values) if dtype is None else np.asarray(values).astype(dtype)
        return _backend.move(values, self.backend)

    def numpy(self, array):
        return _backend.move(array, "cpu")

    def active(self):
        return gpudl.use_backend(self.backend)


def _executor_parameter(name):
    marks = []
    if name == "cuda":
        marks = [pytest.mark.cuda]
        if (reason := _backend.unavailable_because(name)) is not None:
            marks.append(pytest.mark.skip(reason=reason))
    return pytest.param(
        name, marks=marks, id=name
    )  # simt is built, or skipped, when the first test asks for it


EXECUTORS = [_executor_parameter(name) for name in ("numpy", "simt", "cuda")]
COMPILED = EXECUTORS[1:]


def random_array(shape, dtype=np.float64, seed=0, scale=1.0):
    """Normal values, rounded to `dtype` so that oracle and operator see the same numbers."""
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype)


def with_layout(array, layout):
    """The same values and shape in other memory; see LAYOUTS."""
    if layout == "contiguous":
        return np.ascontiguousarray(array)
    if layout == "channels_last":
        order = (0, *range(2, array.ndim), 1) if array.ndim > 2 else range(array.ndim)[::-1]
        inverse = np.argsort(order)
        return np.ascontiguousarray(array.transpose(order)).transpose(inverse)
    if layout == "strided":
        wide = np.zeros([2 * extent + 1 for extent in array.shape], array.dtype)
        view = wide[tuple(slice(1, 1 + 2 * extent, 2) for extent in array.shape)]
        view[...] = array
        return view
    if layout == "reversed":
        backwards = tuple(slice(None, None, -1) for _ in array.shape)
        return np.ascontiguousarray(array[backwards])[backwards]
    if layout == "unaligned":
        memory = np.zeros(array.nbytes + 1, np.uint8)
        view = np.frombuffer(memory.data, array.dtype, array.size, offset=1).reshape(array.shape)
        view[...] = array
        return view
    if layout == "read_only":
        copy = np.array(array)
        copy.flags.writeable = False
        return copy
    if layout == "broadcast":
        return np.broadcast_to(array[:1], array.shape) if array.shape[0] else array
    raise ValueError(layout)


# "broadcast" changes the values (all rows are the first one), so tests that use it take the oracle of its result.
LAYOUTS = ("contiguous", "channels_last", "strided", "reversed", "unaligned", "read_only", "broadcast")


@contextlib.contextmanager
def unmodified(*arrays):
    """Fail when one of the arrays has changed by the end of the block."""
    before = [array.copy() for array in arrays]
    yield
    for old, new in zip(before, arrays, strict=True):
        assert old.tobytes() == new.tobytes(), "an input was written to"


def bad_calls(*rows):
    """Parametrize over (id, call, exception, words its message must hold)."""
    return pytest.mark.parametrize(
        ("call", "exception", "words"), [pytest.param(*row[1:], id=row[0]) for row in rows]
    )


def assert_refuses(call, exception, words):
    """`call()` raises `exception`, and its message holds `words`."""
    with pytest.raises(exception) as caught:
        call()
    assert words in str(caught.value), f"{words!r} is not in {caught.value!s}"

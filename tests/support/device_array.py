"""Arrays that stand for memory of a GPU: kernels may use them, NumPy may not compute with them.

Inside `device_arrays()` every array that gpudl makes is one. Whatever would be an operation of CuPy's own or a copy to
the host on a GPU (arithmetic, assignment, reading a value) is an error; views and metadata are free there and here.
"""

import contextlib
from unittest import mock

import numpy as np

from gpudl import _backend
from gpudl.ops import _arrays

_METADATA = {np.may_share_memory, np.shares_memory, np.shape, np.ndim, np.size}


class DeviceArray(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise AssertionError(f"NumPy computes {ufunc.__name__} inside a step")

    def __array_function__(self, function, types, arguments, options):
        if function in _METADATA:
            return function._implementation(*arguments, **options)
        raise AssertionError(f"NumPy runs {function.__name__} inside a step")

    def __setitem__(self, place, value):
        raise AssertionError("NumPy assigns inside a step")


def _refused(name):
    def method(self, *arguments, **options):
        raise AssertionError(f"NumPy runs {name} inside a step")

    return method


for _name in (
    "copy", "astype", "fill", "sum", "mean", "max", "min", "any", "all", "tolist", "item", "tobytes", "take",
    "__bool__", "__float__", "__int__", "__index__", "flatten", "ravel", "cumsum", "argmax", "sort", "dot",
):  # fmt: skip
    setattr(DeviceArray, _name, _refused(_name))


def on_device(array):
    return array.view(DeviceArray)


def on_host(array):
    return array.view(np.ndarray)


@contextlib.contextmanager
def device_arrays():
    """Every array that an operator makes is a DeviceArray, and a batch becomes one where it would move to the GPU."""
    empty, move = _arrays.empty, _backend.move

    def empty_on_device(shape, dtype, *, like):
        return on_device(empty(shape, dtype, like=like))

    def move_to_device(array, backend):
        return on_device(move(array, backend))

    with (
        mock.patch.object(_arrays, "empty", empty_on_device),
        mock.patch.object(_backend, "move", move_to_device),
    ):
        yield

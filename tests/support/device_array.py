"""Arrays that stand for memory of a GPU: kernels may use them, NumPy may not compute with them.

Inside `device_arrays()` every array that gpudl makes is one. Inside `kernels_only()` whatever would be an operation of
CuPy's own or a copy to the host on a GPU (arithmetic, assignment, reading a value) is an error for them; views and
questions about memory are free there and here.
"""

import contextlib
from unittest import mock

import numpy as np

from gpudl import _backend
from gpudl.ops import _arrays
from gpudl.optim._flat_store import FlatStore

_FREE = {
    np.may_share_memory,
    np.shares_memory,
    np.shape,
    np.ndim,
    np.size,
    np.moveaxis,
    np.transpose,
    np.broadcast_to,
}
_READS_OR_COMPUTES = (
    "copy", "astype", "fill", "sum", "mean", "max", "min", "any", "all", "tolist", "item", "tobytes", "take",
    "__bool__", "__float__", "__int__", "__index__", "flatten", "cumsum", "argmax", "sort", "dot", "__setitem__",
)  # fmt: skip
_kernels_only = False


class DeviceArray(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        _refuse(ufunc.__name__)
        if "out" in options:
            options["out"] = tuple(map(on_host, options["out"]))
        result = getattr(ufunc, method)(*map(on_host, inputs), **options)
        return on_device(result) if isinstance(result, np.ndarray) else result

    def __array_function__(self, function, types, arguments, options):
        if function not in _FREE:
            _refuse(function.__name__)
        return super().__array_function__(function, types, arguments, options)


def _refuse(name):
    assert not _kernels_only, f"NumPy runs {name} inside a step"


def _guarded(name):
    plain = getattr(np.ndarray, name)

    def method(self, *arguments, **options):
        _refuse(name)
        return plain(self, *arguments, **options)

    return method


for _name in _READS_OR_COMPUTES:
    setattr(DeviceArray, _name, _guarded(_name))


def on_device(array):
    return array.view(DeviceArray)


def on_host(array):
    return array.view(np.ndarray) if isinstance(array, DeviceArray) else array


@contextlib.contextmanager
def device_arrays():
    """Every array that an operator or a layer makes is a DeviceArray, and a batch becomes one where it moves to the GPU."""
    empty, move, zeros = _arrays.empty, _backend.move, FlatStore.zeros

    def empty_on_device(shape, dtype, *, like):
        return on_device(empty(shape, dtype, like=like))

    def move_to_device(array, backend):
        return on_device(move(array, backend))

    with (
        mock.patch.object(_arrays, "empty", empty_on_device),
        mock.patch.object(_backend, "move", move_to_device),
        mock.patch.object(FlatStore, "zeros", lambda store: on_device(zeros(store))),
    ):
        yield


@contextlib.contextmanager
def kernels_only():
    global _kernels_only
    _kernels_only = True
    try:
        yield
    finally:
        _kernels_only = False

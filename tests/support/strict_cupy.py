"""A stand-in for CuPy that does what CuPy 13 does with arrays and refuses what it refuses, on a host.

Its arrays are not NumPy's: functions of NumPy do not take them, and an assignment of a NumPy array, a bfloat16 array in
whatever CuPy itself would do with it, and a question that CuPy's arrays do not answer are errors. The kernels are those of
the CPU executor. So the code for CuPy arrays is read by a machine at least; what it does on a GPU, only a GPU shows.
"""

import contextlib
import sys
import types
from unittest import mock

import numpy as np

from gpudl import _backend

_KNOWN = "?bhilqBHILQefdFD"  # type codes


def _known(dtype):
    dtype = np.dtype(dtype)
    if dtype.char not in _KNOWN:
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


class _Flags:
    def __init__(self, flags):
        self.c_contiguous, self.f_contiguous = flags.c_contiguous, flags.f_contiguous


class ndarray:  # noqa: N801  CuPy's name
    __module__ = "cupy"

    def __init__(self, host):
        self._host = host

    def __array__(self, *arguments, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    strides = property(lambda self: self._host.strides)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    flags = property(lambda self: _Flags(self._host.flags))
    device = types.SimpleNamespace(id=0)

    def __len__(self):
        return len(self._host)

    def __float__(self):
        return float(self._host)

    def transpose(self, *axes):
        return ndarray(self._host.transpose(*axes))

    def reshape(self, *shape):
        return ndarray(self._host.reshape(*shape))

    def view(self, dtype):
        return ndarray(self._host.view(dtype))

    def __getitem__(self, key):
        return ndarray(np.asarray(self._host[key]))

    def __setitem__(self, key, value):
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        if np.isscalar(value) and value == 0 and self._host[key].flags.c_contiguous:
            self._host[key] = value  # by a memset
            return
        _known(self.dtype)
        self._host[key] = value._host if isinstance(value, ndarray) else value

    def astype(self, dtype, order="K", copy=True):
        _known(self.dtype)
        return ndarray(self._host.astype(_known(dtype), order=order, copy=copy))

    def copy(self, order="C"):
        _known(self.dtype)
        return ndarray(self._host.copy(order))

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def get(self):
        return np.array(self._host, order="C")


def asarray(array):
    if isinstance(array, ndarray):
        return array
    array = np.asarray(array)
    _known(array.dtype)
    return ndarray(
        np.array(array, order="F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C")
    )


def _unwrapped(argument):
    if isinstance(argument, list):
        return [_unwrapped(item) for item in argument]
    assert not isinstance(argument, np.ndarray), "memory of the host in a kernel"
    return argument._host if isinstance(argument, ndarray) else argument


class _Kernels:
    """gpudl._cuda: operators of `simt` on the memory of these arrays."""

    def __init__(self, simt):
        self._simt = simt

    def __getattr__(self, name):
        operator = getattr(self._simt, name)
        return lambda *arrays, **numbers: operator(
            *map(_unwrapped, arrays), **{key: _unwrapped(value) for key, value in numbers.items()}
        )


def _module():
    cupy = types.ModuleType("cupy")
    cupy.ndarray, cupy.asarray = ndarray, asarray
    cupy.asnumpy = lambda array: array.get() if isinstance(array, ndarray) else np.asarray(array)
    cupy.empty = lambda shape, dtype=float: ndarray(np.empty(shape, dtype))
    cupy.zeros = lambda shape, dtype=float: ndarray(np.zeros(shape, dtype))
    cupy.full = lambda shape, value, dtype=None: ndarray(np.full(shape, value, _known(dtype or float)))
    cupy.concatenate = lambda arrays: ndarray(np.concatenate([array._host for array in arrays]))
    cupy.moveaxis = lambda array, source, target: ndarray(np.moveaxis(array._host, source, target))
    cupy.may_share_memory = lambda a, b: np.may_share_memory(a._host, b._host)
    stream = types.SimpleNamespace(ptr=0)
    cupy.cuda = types.SimpleNamespace(
        get_current_stream=lambda: stream, runtime=types.SimpleNamespace(getDeviceCount=lambda: 1)
    )
    return cupy


@contextlib.contextmanager
def strict_cupy():
    """Inside the block there is a CuPy, and "cuda" works; yields the module."""
    cupy = _module()
    with (
        mock.patch.dict(sys.modules, cupy=cupy),
        mock.patch.dict(_backend._loaded, cuda=_Kernels(_backend._load("simt"))),
    ):
        yield cupy

"""cuDNN's pooling, which its graphs in Python lack: the functions of the C library, through ctypes.

They are those of cudnn_ops.h of cuDNN 9, where they are deprecated and still there.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_int, c_void_p
from pathlib import Path
from typing import Any

from gpudl.bench.contender import UnsupportedError

LIBRARY = "libcudnn.so.9"
# cudnnDataType_t, cudnnTensorFormat_t, cudnnNanPropagation_t, cudnnPoolingMode_t
DATA_TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 9}
NHWC = 1
PROPAGATE_NAN = 1
MODES = {"max": 0, "average": 1, "average without padding": 2, "max deterministic": 3}

# Arguments by function, in the order of the header; every one returns a cudnnStatus_t. Handles, descriptors, factors
# and arrays are pointers.
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cudnnCreate": (POINTER(c_void_p),),
    "cudnnSetStream": (c_void_p, c_void_p),
    "cudnnCreateTensorDescriptor": (POINTER(c_void_p),),
    # descriptor, format, type, n, c, h, w
    "cudnnSetTensor4dDescriptor": (c_void_p, *[c_int] * 6),
    "cudnnDestroyTensorDescriptor": (c_void_p,),
    "cudnnCreatePoolingDescriptor": (POINTER(c_void_p),),
    # descriptor, mode, NaN, window height and width, vertical and horizontal padding, vertical and horizontal stride
    "cudnnSetPooling2dDescriptor": (c_void_p, *[c_int] * 8),
    # pooling, x, n, c, h, w of the result
    "cudnnGetPooling2dForwardOutputDim": (c_void_p, c_void_p, *[POINTER(c_int)] * 4),
    "cudnnDestroyPoolingDescriptor": (c_void_p,),
    # handle, pooling, alpha, x: descriptor and array, beta, y: descriptor and array
    "cudnnPoolingForward": (c_void_p,) * 8,
    # handle, pooling, alpha, y, dy, x: descriptor and array each, beta, dx: descriptor and array
    "cudnnPoolingBackward": (c_void_p,) * 12,
}


class Library:
    """libcudnn with its arguments declared. A status other than success raises RuntimeError with cuDNN's words, or
    UnsupportedError where they say that it cannot do this."""

    def __init__(self, path: str):
        self._library = ctypes.CDLL(path)
        self._library.cudnnGetErrorString.restype = ctypes.c_char_p
        for name, arguments in SIGNATURES.items():
            getattr(self._library, name).argtypes = arguments

    def call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            words = self._library.cudnnGetErrorString(status).decode()
            raise (UnsupportedError if "NOT_SUPPORTED" in words else RuntimeError)(f"{name}: {words}")

    def create(self, name: str) -> c_void_p:
        """What cudnnCreate<name> makes."""
        made = c_void_p()
        self.call(f"cudnnCreate{name}", ctypes.byref(made))
        return made


class Descriptor:
    """Of a tensor or of pooling; destroyed with its last user."""

    def __init__(self, library: Library, kind: str, *settings: int):
        """kind : "Tensor" or "Pooling". settings : the arguments of its Set function after the descriptor."""
        self._library, self._kind = library, kind
        self.pointer = library.create(f"{kind}Descriptor")
        self._set(*settings)

    def _set(self, *settings: int) -> None:
        self._library.call(f"cudnnSet{_SETTERS[self._kind]}Descriptor", self.pointer, *settings)

    def __del__(self) -> None:
        if hasattr(self, "pointer"):
            self._library.call(f"cudnnDestroy{self._kind}Descriptor", self.pointer)


_SETTERS = {"Tensor": "Tensor4d", "Pooling": "Pooling2d"}


def tensor(library: Library, shape: tuple[int, ...], dtype: str) -> Descriptor:
    """Of (N, C, H, W) in channels-last memory."""
    return Descriptor(library, "Tensor", NHWC, DATA_TYPES[dtype], *shape)


def pooling(library: Library, mode: str, settings: Mapping[str, int]) -> Descriptor:
    """settings : kernel_size, stride and padding, the same along both axes."""
    numbers = [settings[name] for name in ("kernel_size", "padding", "stride") for _ in range(2)]
    return Descriptor(library, "Pooling", MODES[mode], PROPAGATE_NAN, *numbers)


def result_shape(library: Library, window: Descriptor, x: Descriptor) -> tuple[int, ...]:
    extents = [c_int() for _ in range(4)]
    pointers = map(ctypes.byref, extents)
    library.call("cudnnGetPooling2dForwardOutputDim", window.pointer, x.pointer, *pointers)
    return tuple(extent.value for extent in extents)


@functools.cache
def load() -> Library:
    """UnsupportedError says why there is none."""
    tried = []
    for path in _places():
        try:
            return Library(path)
        except (OSError, AttributeError) as error:
            tried.append(str(error))
    raise UnsupportedError(f"cuDNN's C library: {'; '.join(tried)}")


def _places() -> list[str]:
    """Where NVIDIA's package for Python puts it, else wherever the system looks."""
    spec = importlib.util.find_spec("nvidia.cudnn") if importlib.util.find_spec("nvidia") else None
    folders = spec.submodule_search_locations if spec is not None else []
    return [*(str(Path(folder) / "lib" / LIBRARY) for folder in folders or []), LIBRARY]


@functools.cache
def _handle() -> c_void_p:
    return load().create("")


def _scalars(dtype: str) -> tuple[Any, Any]:
    """alpha 1 and beta 0, in float32; in float64 for float64."""
    kind = ctypes.c_double if dtype == "float64" else ctypes.c_float
    return kind(1), kind(0)


class _Call:
    """What both directions share: descriptors, factors and arrays, which live as long as the call."""

    def __init__(self, x: Any, mode: str, settings: Mapping[str, int]):
        import cupy

        self.library, dtype = load(), str(x.dtype)
        self.handle = _handle()
        self.library.call("cudnnSetStream", self.handle, cupy.cuda.get_current_stream().ptr)
        self.window = pooling(self.library, mode, settings)
        self.x, self.x_of = x, tensor(self.library, x.shape, dtype)
        shape = result_shape(self.library, self.window, self.x_of)
        self.y, self.y_of = empty(shape, x.dtype), tensor(self.library, shape, dtype)
        self.one, self.zero = _scalars(dtype)

    def forward(self) -> Any:
        self.library.call(
            "cudnnPoolingForward", self.handle, self.window.pointer, ctypes.addressof(self.one),
            self.x_of.pointer, self.x.data.ptr, ctypes.addressof(self.zero), self.y_of.pointer, self.y.data.ptr,
        )  # fmt: skip
        return self.y

    def backward(self, dy: Any, dx: Any) -> Any:
        """After a forward. dy lies in memory as y does, dx as x."""
        self.library.call(
            "cudnnPoolingBackward", self.handle, self.window.pointer, ctypes.addressof(self.one),
            self.y_of.pointer, self.y.data.ptr, self.y_of.pointer, dy.data.ptr, self.x_of.pointer, self.x.data.ptr,
            ctypes.addressof(self.zero), self.x_of.pointer, dx.data.ptr,
        )  # fmt: skip
        return dx


def forward(x: Any, mode: str, settings: Mapping[str, int]) -> Callable[[], Any]:
    """x : (N, C, H, W), channels-last. mode : of MODES."""
    return _Call(x, mode, settings).forward


def backward(dy: Any, x: Any, mode: str, settings: Mapping[str, int]) -> Callable[[], Any]:
    """The y that cuDNN asks for is computed here, untimed."""
    call = _Call(x, mode, settings)
    call.forward()
    dx = empty(x.shape, x.dtype)
    return lambda: call.backward(dy, dx)


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """(N, C, H, W) in channels-last memory of the GPU."""
    import cupy

    n, c, h, w = shape
    return cupy.empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)

"""Which executor runs an operator: chosen by the type of the arrays, or explicitly.

NumPy arrays run on `gpudl._numpy`, CuPy arrays on the compiled module `gpudl._cuda`. NumPy arrays run the
CUDA kernels on the CPU (`gpudl._simt`) only inside `use_backend("simt")` or with GPUDL_DEVICE=simt.
No other file imports an executor.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np

Array = Any  # numpy.ndarray or cupy.ndarray

BACKENDS = ("cpu", "simt", "cuda")
_MODULES = {"cpu": "gpudl._numpy", "simt": "gpudl._simt", "cuda": "gpudl._cuda"}
_PURPOSE = {
    "simt": "the CUDA kernels compiled for the CPU",
    "cuda": "the CUDA kernels",
}
_HINT = {
    "simt": "`python -m gpudl.simt` builds it where g++ and pybind11 are",
    "cuda": "`pip install .` builds it where nvcc is; NumPy arrays work without it",
}
_ANEW = {"simt": "`python -m gpudl.simt`", "cuda": "`pip install .`"}
_loaded: dict[str, ModuleType] = {}


class BackendError(RuntimeError):
    """An executor was asked for that this install or this machine does not have."""


def _load(backend: str) -> ModuleType:
    module = _loaded.get(backend)
    if module is None:
        try:
            module = importlib.import_module(_MODULES[backend])
        except ImportError as error:
            raise BackendError(
                f"backend {backend!r}: this install of gpudl has no {_MODULES[backend]} "
                f"({_PURPOSE[backend]}): {_why_missing(backend) or error}. {_HINT[backend]}."
            ) from error
        if backend != "cpu":
            _require_current(backend, module)
        _loaded[backend] = module
    return module


def _require_current(backend: str, module: ModuleType) -> None:
    """BackendError for a compiled module that another version of gpudl has left behind."""
    from gpudl.simt import _build

    if not _build.is_current(module):
        raise BackendError(
            f"backend {backend!r}: {module.__file__} was built from other kernel sources than those of this gpudl. "
            f"{_ANEW[backend]} builds it anew."
        )


def _why_missing(backend: str) -> str | None:
    """What the build noted about the CUDA kernels, where it left them out."""
    note = Path(__file__).with_name("_cuda_missing.txt")
    return note.read_text().strip() if backend == "cuda" and note.exists() else None


@contextlib.contextmanager
def simt_from(library: Path) -> Iterator[None]:
    """Inside the block NumPy arrays run on another build of the kernels, such as the checked one."""
    module = _module_at(library)
    before = _loaded.get("simt")
    _loaded["simt"] = module
    try:
        with use_backend("simt"):
            yield
    finally:
        if before is None:
            del _loaded["simt"]
        else:
            _loaded["simt"] = before


@functools.cache
def _module_at(library: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(library.name.partition(".")[0], library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unavailable_because(backend: str) -> str | None:
    """None where `backend` works here, else the reason in one sentence."""
    try:
        _load(backend)
        if backend == "cuda":
            import cupy

            cupy.cuda.runtime.getDeviceCount()
    except BackendError as error:
        return str(error)
    except Exception as error:  # CuPy raises its own types for a missing driver or device
        return f"backend 'cuda': {error}"
    return None


# What is no name of a backend is refused where one is needed first: an import that fails would leave the command line
# no way to say so.
_current = os.environ.get("GPUDL_DEVICE", "cpu")


class _BackendChoice:
    """What `use_backend` returns: the choice is already made; leaving a `with` block undoes it."""

    def __init__(self, previous: str):
        self._previous = previous

    def __enter__(self) -> _BackendChoice:
        return self

    def __exit__(self, *exception: object) -> None:
        global _current
        _current = self._previous


def use_backend(backend: str) -> _BackendChoice:
    """Choose where new layers put their parameters and what runs NumPy arrays.

    backend : "cpu" (NumPy), "simt" (the CUDA kernels on the CPU) or "cuda".

    Acts at once and until the next call; used as `with use_backend("simt"):` it ends with the block.
    Raises ValueError for an unknown name and BackendError where the executor is missing.
    """
    global _current
    require_backend("use_backend: backend", backend)
    choice = _BackendChoice(_current)
    _current = backend
    return choice


def compiled_architectures() -> tuple[str, ...]:
    """What this install's CUDA kernels were compiled for: "sm_90a", or "compute_80" for PTX; () without any."""
    try:
        return tuple(_load("cuda").__architectures__.split("-"))
    except BackendError:
        return ()


def check_backend_name(what: str, backend: object) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"{what}: expected one of 'cpu', 'simt', 'cuda', got {backend!r}")


def require_backend(what: str, backend: object) -> None:
    """Raise ValueError for an unknown name, BackendError where the executor is missing."""
    check_backend_name(what, backend)
    _load(backend)  # type: ignore[arg-type]


def current_backend() -> str:
    """The name given to the last `use_backend`, or GPUDL_DEVICE, or "cpu"; ValueError where it is none of BACKENDS."""
    if _current not in BACKENDS:
        raise ValueError(f"GPUDL_DEVICE: expected one of {', '.join(BACKENDS)}, got {_current!r}")
    return _current


def is_array(value: object) -> bool:
    """True for a NumPy or a CuPy array."""
    return isinstance(value, np.ndarray) or is_cupy(value)


def is_cupy(value: object) -> bool:
    cupy = sys.modules.get("cupy")  # a CuPy array exists only where CuPy has been imported
    return cupy is not None and isinstance(value, cupy.ndarray)


def executor(array: Array) -> ModuleType:
    """The module whose operators run `array`: `_numpy`, `_simt` or `_cuda`."""
    return numpy_executor() if isinstance(array, np.ndarray) else _load("cuda")


def numpy_executor() -> ModuleType:
    """The module whose operators run NumPy arrays: `_numpy` or `_simt`."""
    return _load("simt" if current_backend() == "simt" else "cpu")


def array_module(array: Array) -> ModuleType:
    """`numpy` or `cupy`, whichever made `array`."""
    return sys.modules["cupy"] if is_cupy(array) else np


def move(array: Array, backend: str) -> Array:
    """`array` where `backend` wants it, in its memory order: a CuPy array for "cuda", a NumPy array otherwise."""
    if backend != "cuda":
        return _transferred(array, sys.modules["cupy"].asnumpy) if is_cupy(array) else array
    _load("cuda")
    import cupy

    return array if is_cupy(array) else _transferred(np.asarray(array), cupy.asarray)


def move_beside(array: Array, other: Array) -> Array:
    """`array` where `other` is."""
    return move(array, "cuda" if is_cupy(other) else "cpu")


def axes_in_memory(array: Array) -> list[int]:
    """The axes of an array, the one whose elements lie farthest apart first."""
    return sorted(range(array.ndim), key=lambda axis: (-array.strides[axis], axis))


def _transferred(array: Array, transfer: Callable[[Array], Array]) -> Array:
    """Memory goes over in its own order, which CuPy would make that of the axes."""
    order = axes_in_memory(array)
    moved = transfer(bits(array).transpose(order)).transpose(np.argsort(order).tolist())
    return moved.view(array.dtype) if moved.dtype != array.dtype else moved


def bits(array: Array) -> Array:
    """bfloat16 as uint16, what else as it is: CuPy before 14 neither moves, copies nor fills bfloat16."""
    return array.view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array


def from_tensor(value: Any) -> Any:
    """A PyTorch tensor as a NumPy array, without a copy where it is on the CPU; anything else as it is."""
    torch = sys.modules.get("torch")  # a tensor exists only where PyTorch has been imported
    if torch is None or not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # NumPy has none of its own
        return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def as_array(value: Any) -> Array:
    """Arrays as they are; PyTorch's tensors, numbers and lists as NumPy arrays."""
    value = from_tensor(value)
    return value if is_array(value) else np.asarray(value)

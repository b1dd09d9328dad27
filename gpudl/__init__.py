"""gpudl: neural-network layers, losses, optimizers and training on plain NumPy and CuPy arrays."""

import importlib
from typing import TYPE_CHECKING, Any

from gpudl import init, nn, ops, optim, random
from gpudl._backend import BackendError, current_backend, use_backend
from gpudl._check_gradient import GradientError, check_gradient
from gpudl._errors import CudaError
from gpudl._grad_mode import is_grad_enabled, no_grad
from gpudl._memory import free_memory
from gpudl._parallel import get_num_threads, set_num_threads
from gpudl.random import manual_seed

if TYPE_CHECKING:
    from gpudl import data, metrics, models, simt, train

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "CudaError",
    "GradientError",
    "check_gradient",
    "current_backend",
    "data",
    "free_memory",
    "get_num_threads",
    "init",
    "is_grad_enabled",
    "manual_seed",
    "metrics",
    "models",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "random",
    "set_num_threads",
    "simt",
    "train",
    "use_backend",
]

_ON_FIRST_USE = (
    "data",
    "metrics",
    "models",
    "simt",
    "train",
)  # somebody who only wants the layers does not wait for them


def __getattr__(name: str) -> Any:
    if name in _ON_FIRST_USE:
        return importlib.import_module(f"gpudl.{name}")
    raise AttributeError(f"module 'gpudl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

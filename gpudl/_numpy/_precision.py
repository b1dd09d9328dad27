"""float16 and bfloat16 on the CPU: computed in float32, rounded once when stored."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable

import ml_dtypes
import numpy as np

HALF_DTYPES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def accumulation_dtype(dtype: np.dtype) -> np.dtype:
    """float32 for float16, bfloat16 and float32; float64 for float64."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def _is_half(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.itemsize == 2 and value.dtype in HALF_DTYPES


def _has_half(values: Iterable[object]) -> bool:
    return bool([value for value in values if _is_half(value)])  # any() takes twice as long


def computed_in_float32(*outputs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate an operator written for float32 and float64 so that it takes half precision too.

    `outputs` names the arguments it writes. Half arrays are widened to float32 copies of the same memory
    order, and the outputs are rounded back: twice the memory of the arrays for the length of the call.
    """

    def decorate(operator: Callable[..., None]) -> Callable[..., None]:
        names = tuple(inspect.signature(operator).parameters)
        unknown = set(outputs) - set(names)
        assert not unknown, f"{operator.__name__} has no arguments {unknown}"

        @functools.wraps(operator)
        def wrapper(*args: object, **kwargs: object) -> None:
            if not _has_half(args) and not _has_half(kwargs.values()):
                operator(*args, **kwargs)
                return
            given = dict(zip(names, args, strict=False)) | kwargs
            halves = {name: value for name, value in given.items() if _is_half(value)}
            wide = {
                name: np.empty_like(value, np.float32) if name in outputs else value.astype(np.float32)
                for name, value in halves.items()
            }
            operator(**(given | wide))
            for name in outputs:
                if name in halves:
                    with np.errstate(over="ignore", under="ignore"):  # becomes inf or 0, as on the GPU
                        halves[name][...] = wide[name]

        return wrapper

    return decorate

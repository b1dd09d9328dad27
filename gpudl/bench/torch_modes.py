"""How PyTorch multiplies and sums on a GPU. PyTorch is imported where it is needed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

_REDUCED = ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")


def cudnn(*, deterministic: bool = True, tf32: bool = False) -> contextlib.AbstractContextManager[None]:
    """Convolutions by the fastest of cuDNN's plans: of all of them, or of those that give the same bits every time."""
    import torch

    return torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=deterministic, allow_tf32=tf32
    )


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Matrix products of float32 as IEEE has them, and sums of half precision in float32."""
    import torch

    matmul, precision = torch.backends.cuda.matmul, torch.get_float32_matmul_precision()
    reduced = {name: getattr(matmul, name) for name in _REDUCED}
    try:
        torch.set_float32_matmul_precision("highest")
        for name in _REDUCED:
            setattr(matmul, name, False)
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        for name, value in reduced.items():
            setattr(matmul, name, value)


def with_cudnn(function: Callable[..., Any], **modes: bool) -> Callable[..., Any]:
    """The same function, whose convolutions are those of `cudnn(**modes)`."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with cudnn(**modes):
            return function(*arguments, **named)

    return call

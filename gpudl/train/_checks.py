"""What a trainer is made of and what it loads, checked before anything changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from gpudl.metrics import Metric
from gpudl.nn.module import Module
from gpudl.ops import _arrays
from gpudl.optim import Optimizer
from gpudl.train.callbacks.callback import Callback


def require_parts(model: Any, criterion: Any, optimizer: Any, metrics: Any) -> None:
    """Raise for arguments of a Trainer that are not what they should be."""
    if not isinstance(model, Module):
        raise TypeError(f"Trainer: model must be a Module, got {type(model).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"Trainer: optimizer must be an Optimizer, got {type(optimizer).__name__}")
    if not callable(criterion) or not callable(getattr(criterion, "backward", None)):
        raise TypeError(f"Trainer: criterion must be a loss with backward, got {type(criterion).__name__}")
    if not isinstance(metrics, dict | None):
        raise TypeError(f"Trainer: metrics must be a dict, got {type(metrics).__name__}")
    for name, metric in (metrics or {}).items():
        if not isinstance(metric, Metric):
            raise TypeError(f"Trainer: metrics[{name!r}] must be a Metric, got {type(metric).__name__}")
        if np.ndim(metric.compute()):
            raise ValueError(f"Trainer: metrics[{name!r}] must give one number, got an array")
        if name == "loss":
            raise ValueError("Trainer: metrics must not hold 'loss', which is that of the criterion")


def list_of_callbacks(callbacks: Any) -> list[Callback]:
    """Callbacks as a list, whatever held them: an iterator gives them once only."""
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable):  # a History can be iterated
        raise TypeError(f"Trainer: callbacks must be a list of Callbacks, got {type(callbacks).__name__}")
    callbacks = list(callbacks)
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(f"Trainer: callbacks must be Callbacks, got {type(callback).__name__}")
    return callbacks


def bound(name: str, value: float | None) -> float | None:
    """A bound on gradients, or None."""
    return None if value is None else _arrays.real("Trainer", name, value, minimum=0)


def require_keys(what: str, state: Any, keys: Iterable[str]) -> None:
    """Raise unless `state` is a dict of exactly these keys."""
    expected = sorted(keys)
    if not isinstance(state, dict) or sorted(state) != expected:
        got = sorted(state) if isinstance(state, dict) else type(state).__name__
        raise ValueError(f"{what}: state must have the keys {expected}, got {got}")

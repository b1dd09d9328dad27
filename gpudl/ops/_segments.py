"""What the optimizer steps share: flat arrays and a table that says which span takes which hyperparameters."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays


def require_flat(op: str, **arrays: Array | None) -> ModuleType:
    """Check that all are 1-D, contiguous, of one dtype and length; return the executor."""
    executor = _arrays.require_floats(op, **arrays)
    given = {name: array for name, array in arrays.items() if array is not None}
    first, reference = next(iter(given.items()))
    for name, array in given.items():
        _arrays.require_ndim(op, name, array, "(M,)")
        _arrays.require_shape(op, name, array, reference.shape, f"that of {first}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{op}: {name} must be contiguous, got strides {array.strides}")
    return executor


def require_writeable(op: str, **arrays: Array | None) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            raise ValueError(f"{op}: {name} must be writeable, got a read-only array")


def require_table(
    op: str, segments: np.ndarray, hyperparameters: np.ndarray, columns: tuple[str, ...], size: int
) -> None:
    """Check the two tables against each other and against the extent of the flat arrays."""
    for name, table, dtype in (
        ("segments", segments, np.int64),
        ("hyperparameters", hyperparameters, np.float64),
    ):
        if not isinstance(table, np.ndarray) or table.dtype != dtype:
            kind = getattr(table, "dtype", type(table).__name__)
            raise TypeError(f"{op}: {name} must be a NumPy array of {np.dtype(dtype)}, got {kind}")
    if segments.ndim != 2 or segments.shape[1] != 3:
        raise ValueError(f"{op}: segments must have shape (n, 3), got {segments.shape}")
    expected = (len(segments), len(columns))
    why = f"one row per segment: {', '.join(columns)}"
    _arrays.require_shape(op, "hyperparameters", hyperparameters, expected, why)
    if len(segments) == 0:
        return
    offsets, ends, steps = segments[:, 0], segments[:, 0] + segments[:, 1], segments[:, 2]
    order = np.argsort(offsets, kind="stable")
    overlap = (ends[order][:-1] > offsets[order][1:]).any()
    if offsets.min() < 0 or segments[:, 1].min() < 0 or ends.max() > size or overlap:
        raise ValueError(
            f"{op}: segments must be disjoint spans of [0, {size}), got {segments[:, :2].tolist()}"
        )
    if steps.min() < 1:
        raise ValueError(f"{op}: steps must be at least 1, got {int(steps.min())}")

"""What the optimizer steps share: flat arrays and a table that says which span takes which hyperparameters."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays


def require_flat(op: str, **arrays: Array | None) -> ModuleType:
    """Check that all are 1-D, contiguous, of one dtype and length; return the executor."""
    executor = _arrays.require_floats(op, **arrays)
    first = reference = None
    for name, array in arrays.items():
        if array is None:
            continue
        if reference is None:
            first, reference = name, array
        # Asked here, as gradients may be thousands of arrays.
        if array.ndim != 1 or array.shape != reference.shape:
            _arrays.require_ndim(op, name, array, "(M,)")
            _arrays.require_shape(op, name, array, reference.shape, f"that of {first}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{op}: {name} must be contiguous, got strides {array.strides}")
    return executor


def require_writeable(op: str, **arrays: Array | None) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            raise ValueError(f"{op}: {name} must be writeable, got a read-only array")


def require_step(
    op: str,
    columns: tuple[str, ...],
    grad: Array,
    tables: dict[str, Array],
    written: dict[str, Array | None],
    needs: dict[str, str],
) -> ModuleType:
    """Check all arrays of an optimizer step; return the executor.

    tables : segments, hyperparameters, steps and ticket.
    needs : column of hyperparameters -> the state it needs where not 0.
    What a table on a GPU holds is not looked at, as that would wait for it: kernels leave alone what does not fit.
    """
    _arrays.require_arrays(op, grad=grad, **tables)
    executor = require_flat(op, grad=grad, **written)
    require_writeable(op, **written, steps=tables["steps"], ticket=tables["ticket"])
    _require_tables(op, columns, **tables)
    if isinstance(grad, np.ndarray) and len(tables["segments"]):
        _require_values(op, grad.size, **tables)
        segments, hyperparameters = tables["segments"], tables["hyperparameters"]
        for flag, state in needs.items():
            if written[state] is None and _is_used(columns.index(flag), segments, hyperparameters):
                raise ValueError(f"{op}: {flag} needs {state}, got None")
    return executor


def _is_used(column: int, segments: np.ndarray, hyperparameters: np.ndarray) -> bool:
    """Whether a segment has anything but 0 in a column of hyperparameters."""
    rows = segments[:, 2]
    return bool(hyperparameters[:, column].any() and hyperparameters[rows[rows >= 0], column].any())


def _require_tables(
    op: str, columns: tuple[str, ...], segments: Array, hyperparameters: Array, steps: Array, ticket: Array
) -> None:
    for name, table, dtype in (
        ("segments", segments, np.int64),
        ("hyperparameters", hyperparameters, np.float64),
        ("steps", steps, np.int64),
        ("ticket", ticket, np.uint32),
    ):
        if table is None:
            raise TypeError(f"{op}: {name} must be a NumPy or CuPy array, got None")
        if table.dtype != dtype:
            raise TypeError(f"{op}: {name} must be {np.dtype(dtype)}, got {table.dtype}")
        if not table.flags.c_contiguous:
            raise ValueError(f"{op}: {name} must be contiguous, got strides {table.strides}")
    if segments.ndim != 2 or segments.shape[1] != 3:
        raise ValueError(f"{op}: segments must have shape (n, 3), got {segments.shape}")
    if hyperparameters.ndim != 2 or hyperparameters.shape[1] != len(columns):
        raise ValueError(
            f"{op}: hyperparameters must have shape (groups, {len(columns)}), {', '.join(columns)}, "
            f"got {hyperparameters.shape}"
        )
    _arrays.require_shape(op, "steps", steps, (len(segments),), "one per segment")
    _arrays.require_shape(op, "ticket", ticket, (1,), "a counter of the kernel")


def _require_values(
    op: str,
    size: int,
    segments: np.ndarray,
    hyperparameters: np.ndarray,
    steps: np.ndarray,
    ticket: np.ndarray,
) -> None:
    offsets, lengths, rows = segments.T
    if not _follow_each_other(offsets, lengths, size):
        raise ValueError(
            f"{op}: segments must be disjoint spans of [0, {size}) in ascending order, "
            f"got {segments[:, :2].tolist()}"
        )
    groups = len(hyperparameters)
    if rows.min() < -1 or rows.max() >= groups:
        raise ValueError(f"{op}: rows of segments must be in [-1, {groups}), got {rows.tolist()}")
    if steps.min() < 0:
        raise ValueError(f"{op}: steps must be at least 0, got {int(steps.min())}")
    if ticket[0] != 0:
        raise ValueError(f"{op}: ticket must be 0, got {int(ticket[0])}")


def _follow_each_other(offsets: np.ndarray, lengths: np.ndarray, size: int) -> bool:
    """Whether spans lie in [0, size), each behind the one before; of ends that lie elsewhere, none is formed."""
    if offsets.min() < 0 or lengths.min() < 0 or (offsets > size - lengths).any():
        return False
    return bool((offsets[1:] >= offsets[:-1] + lengths[:-1]).all())

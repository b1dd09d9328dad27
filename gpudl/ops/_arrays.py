"""What every operator's contract shares: which arrays are accepted, and where results go.

Each check raises before anything is written, and its message names the operator, the argument, what was
expected and what came.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np

from gpudl import _backend, _memory
from gpudl._backend import Array

bfloat16 = np.dtype(ml_dtypes.bfloat16)
FLOAT_DTYPES = (np.dtype(np.float16), bfloat16, np.dtype(np.float32), np.dtype(np.float64))
_FLOATS = frozenset(FLOAT_DTYPES)
_CONVERTED = _FLOATS | {np.dtype(np.uint8)}
_FLOATS_IN_WORDS = "float16, bfloat16, float32 or float64"
# The arrays that callers may leave out. Where a weight is needed, in convolutions and Linear, its rank is asked for.
_OPTIONAL = {
    "weight", "bias", "pos_weight", "running_mean", "running_var", "num_batches_tracked", "momentum_buffer",
    "max_exp_avg_sq", "grad_avg",
}  # fmt: skip


def require_arrays(op: str, **arrays: Array | None) -> ModuleType:
    """Check that all are arrays of one kind (None where it may be); return the executor that runs them."""
    given = {name: array for name, array in arrays.items() if array is not None or name not in _OPTIONAL}
    for array in given.values():
        if not isinstance(array, np.ndarray):
            break
    else:  # the common case: the checks below took longer than a small operator
        return _backend.executor(array)
    for name, array in given.items():
        if not _backend.is_array(array):
            raise TypeError(f"{op}: {name} must be a NumPy or CuPy array, got {type(array).__name__}")
    kinds = {name: type(array).__module__.partition(".")[0] for name, array in given.items()}
    first = next(iter(given))
    for name, array in given.items():
        if _backend.is_cupy(array) != _backend.is_cupy(given[first]):
            raise TypeError(
                f"{op}: all arrays must be on one device, got {first} from {kinds[first]} and "
                f"{name} from {kinds[name]}"
            )
    return _backend.executor(given[first])


def require_floats(op: str, **arrays: Array | None) -> ModuleType:
    """`require_arrays`, and one floating dtype for all of them."""
    common = _common_dtype(arrays)
    if common in _FLOATS:
        return _backend.numpy_executor()
    executor = require_arrays(op, **arrays)
    dtypes = {array.dtype for array in arrays.values() if array is not None}
    if len(dtypes) == 1 and dtypes <= _FLOATS:
        return executor
    given = {name: array for name, array in arrays.items() if array is not None}
    first = next(iter(given))
    for name, array in given.items():
        if array.dtype not in FLOAT_DTYPES:
            raise TypeError(f"{op}: {name} must be {_FLOATS_IN_WORDS}, got {array.dtype}")
        if array.dtype != given[first].dtype:
            raise TypeError(
                f"{op}: all arrays must have one dtype, got {first} {given[first].dtype} and "
                f"{name} {array.dtype}"
            )
    return executor


def _common_dtype(arrays: dict[str, Array | None]) -> np.dtype | None:
    """That of NumPy arrays that have one, else None: the usual case, at a third of what the checks take."""
    common = None
    for name, array in arrays.items():
        if array is None and name in _OPTIONAL:
            continue
        if type(array) is not np.ndarray or not (common is None or array.dtype is common):
            return None
        common = array.dtype
    return common


def require_ndim(op: str, name: str, array: Array, layout: str, *, unbatched: bool = False) -> bool:
    """Check the rank against a layout such as "(N, C, H, W)".

    With unbatched=True the layout without its first axis is accepted too; returns True for that one.
    """
    if array is None:
        raise TypeError(f"{op}: {name} must be a NumPy or CuPy array, got NoneType")
    ndim = layout.count(",") + 1 if not layout.endswith(",)") else 1
    if array.ndim == ndim:
        return False
    short = "(" + layout[1:].partition(", ")[2]
    if unbatched and array.ndim == ndim - 1:
        return True
    expected = f"{layout} or {short}" if unbatched else layout
    raise ValueError(f"{op}: {name} must have shape {expected}, got {array.shape}")


def require_shape(op: str, name: str, array: Array, expected: tuple[int, ...], why: str) -> None:
    """Check an exact shape; `why` says where it comes from, e.g. "(K,) of weight (16, 3, 3, 3)"."""
    if array.shape != expected:
        raise ValueError(f"{op}: {name} must have shape {expected}, {why}, got {array.shape}")


def integer(op: str, name: str, value: object, *, minimum: int) -> int:
    """`value` as an int of at least `minimum`; bool is refused."""
    if type(value) is int and value >= minimum:
        return value
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{op}: {name} must be an int, got bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{op}: {name} must be an int, got {type(value).__name__}") from None
    if number < minimum:
        raise ValueError(f"{op}: {name} must be at least {minimum}, got {number}")
    return number


def integers(op: str, name: str, value: object, count: int, *, minimum: int) -> tuple[int, ...]:
    """An int, or `count` of them, as a tuple of `count` ints of at least `minimum`."""
    if not isinstance(value, tuple | list):
        return (integer(op, name, value, minimum=minimum),) * count
    if len(value) != count:
        raise ValueError(f"{op}: {name} must be an int or {count} ints, got {value!r}")
    return tuple(integer(op, name, item, minimum=minimum) for item in value)


def real(
    op: str, name: str, value: object, *, minimum: float = -math.inf, maximum: float = math.inf
) -> float:
    """`value` as a finite float in [minimum, maximum]; bool and NaN are refused."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{op}: {name} must be a number, got {type(value).__name__}")
    number = float(value)
    if not (math.isfinite(number) and minimum <= number <= maximum):
        raise ValueError(f"{op}: {name} must be a finite number in [{minimum}, {maximum}], got {number}")
    return number


def extended_real(op: str, name: str, value: object, *, minimum: float = -math.inf) -> float:
    """`value` as a float of at least `minimum` that may be infinite; bool and NaN are refused."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{op}: {name} must be a number, got {type(value).__name__}")
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"{op}: {name} must be a number, got nan")
    if number < minimum:
        raise ValueError(f"{op}: {name} must be at least {minimum}, got {number}")
    return number


def is_real(dtype: np.dtype) -> bool:
    """Whether arrays of this dtype hold real numbers, so that they can be converted to a floating dtype."""
    return dtype.kind in "biuf" or dtype in FLOAT_DTYPES


def one_of(op: str, name: str, value: object, allowed: Sequence[object]) -> None:
    """Check that `value` is one of `allowed`."""
    if value not in allowed:
        words = ", ".join(repr(item) for item in allowed)
        raise ValueError(f"{op}: {name} must be one of {words}, got {value!r}")


def boolean(op: str, name: str, value: object) -> bool:
    """A checked bool, Python's or NumPy's."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{op}: {name} must be a bool, got {type(value).__name__}")
    return bool(value)


def float_dtype(op: str, dtype: Any) -> np.dtype:
    """`dtype` as one of the four supported floating dtypes; None means float32; "bfloat16" is understood."""
    if dtype is None:
        return np.dtype(np.float32)
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{op}: dtype must be {_FLOATS_IN_WORDS}, got {dtype!r}") from None
    if found not in FLOAT_DTYPES:
        raise TypeError(f"{op}: dtype must be {_FLOATS_IN_WORDS}, got {found}")
    return found


def normalized_axis(op: str, name: str, value: object, ndim: int) -> int:
    """An axis in [-ndim, ndim) as one in [0, ndim)."""
    axis = integer(op, name, value, minimum=-ndim)
    if axis >= ndim:
        raise ValueError(f"{op}: {name} must be in [{-ndim}, {ndim}), got {axis}")
    return axis % ndim


# ---- storage


def contiguous(x: Array) -> Array:
    """`x` itself where it is C-contiguous and aligned, else a copy that is."""
    if x.flags.c_contiguous and _aligned(x):
        return x
    return to_contiguous(x, empty(x.shape, x.dtype, like=x))


def channels_last(x: Array) -> Array:
    """(N, C, L) or (N, C, H, W) whose memory is (N, L, C) or (N, H, W, C): `x` itself, or a copy."""
    if x.transpose(_to_last(x.ndim)).flags.c_contiguous and _aligned(x):
        return x
    return to_channels_last(x, empty_channels_last(x.shape, x.dtype, like=x))


def to_contiguous(x: Array, y: Array) -> Array:
    """Copy x into y, which is C-contiguous; returns y.

    The executor's operator takes x from channels-last memory. Other strides, which layers never make, and dtypes
    that are neither activations nor images are left to the array module's copy.
    """
    last = x.ndim in (3, 4) and x.transpose(_to_last(x.ndim)).flags.c_contiguous
    if last and x.dtype in _CONVERTED and _aligned(x):
        _backend.executor(x).to_contiguous(x, y)
    else:
        write(y, x)
    return y


def to_channels_last(x: Array, y: Array) -> Array:
    """Copy x into y, which is channels-last; returns y. The executor's operator takes C-contiguous x, as above."""
    if x.flags.c_contiguous and x.dtype in _CONVERTED and _aligned(x):
        _backend.executor(x).to_channels_last(x, y)
    else:
        write(y, x)
    return y


def write(y: Array, x: Array | float) -> None:
    """y[...] = x, which is a number, or an array of the dtype of y, by the array module."""
    if _backend.is_cupy(y) and y.dtype == bfloat16:
        y, x = _backend.bits(y), _backend.bits(x if _backend.is_cupy(x) else np.asarray(x, bfloat16))
    y[...] = x


def copied(x: Array) -> Array:
    """A copy in the memory order of x."""
    copy = _backend.bits(x).copy(order="K")
    return copy.view(x.dtype) if copy.dtype != x.dtype else copy


def converted(x: Array, dtype: np.dtype) -> Array:
    """x in another dtype; on the host where CuPy before 14 has none of the two."""
    if x.dtype == dtype:
        return x
    if _backend.is_cupy(x) and bfloat16 in (x.dtype, dtype):
        return _backend.move(_backend.move(x, "cpu").astype(dtype), "cuda")
    return x.astype(dtype)


def assign(y: Array, x: Array) -> None:
    """Copy x into y, of one shape and dtype, by an operator of the executor where both are dense."""
    plain = _aligned(y) and y.flags.c_contiguous
    last = _aligned(y) and is_channels_last(y)
    alike = (plain and x.flags.c_contiguous) or (last and is_channels_last(x))
    if alike and x.dtype in _FLOATS and _aligned(x):
        _backend.executor(x).copy(flat(x), flat(y))
    elif plain:
        to_contiguous(x, y)
    elif last:
        to_channels_last(x, y)
    else:
        write(y, x)


def empty(shape: tuple[int, ...], dtype: np.dtype, *, like: Array) -> Array:
    """Uninitialised, C-contiguous, on the device of `like`."""
    if _backend.is_cupy(like):
        return _backend.array_module(like).empty(shape, dtype)
    return _memory.empty(shape, dtype)


def empty_channels_last(shape: tuple[int, ...], dtype: np.dtype, *, like: Array) -> Array:
    """Uninitialised (N, C, ...) whose memory is (N, ..., C), on the device of `like`."""
    memory = empty((shape[0], *shape[2:], shape[1]), dtype, like=like)
    return memory.transpose(0, len(shape) - 1, *range(1, len(shape) - 1))


def is_channels_last(x: Array) -> bool:
    """True for 3 or 4 axes in channels-last memory that is not C-contiguous as well."""
    return x.ndim in (3, 4) and not x.flags.c_contiguous and x.transpose(_to_last(x.ndim)).flags.c_contiguous


def flat(x: Array) -> Array:
    """The memory of a dense array as one axis, for operators that do not care where an element is."""
    return (x.transpose(_to_last(x.ndim)) if is_channels_last(x) else x).reshape(-1)


def dense(x: Array) -> Array:
    """`x` itself where its memory has no gaps and is C-contiguous or channels-last, else a C-contiguous copy."""
    if x.ndim in (3, 4) and x.transpose(_to_last(x.ndim)).flags.c_contiguous and _aligned(x):
        return x
    return contiguous(x)


def same_storage_as(reference: Array, x: Array) -> Array:
    """`x` with the memory order of the dense `reference`, so that both can be walked as flat memory."""
    if x.strides == reference.strides and _aligned(x):
        return x
    if reference.flags.c_contiguous:
        return contiguous(x)
    return channels_last(x)


def _to_last(ndim: int) -> tuple[int, ...]:
    return (0, 2, 3, 1) if ndim == 4 else (0, *range(2, ndim), 1)


def _aligned(x: Array) -> bool:
    return _backend.is_cupy(x) or x.flags.aligned


class Result:
    """Where an operator writes: the caller's `out`, or new memory.

    `array` is dense in the storage the executor writes. `finish()` returns what the caller gets: `out`
    itself where there is one (copied into when its storage differs), else `array`.
    """

    __slots__ = ("_out", "array")

    def __init__(
        self,
        op: str,
        shape: tuple[int, ...],
        out: Array | None,
        inputs: dict[str, Array | None],
        *,
        dtype: np.dtype | None = None,
        channels_last: bool = False,
        elementwise: bool = False,
    ):
        """dtype defaults to that of the first input; elementwise operators accept `out` that is an input.

        An operator without inputs gives both dtype and out.
        """
        like = next(iter(inputs.values()), out)
        dtype = like.dtype if dtype is None else dtype
        self._out = out
        if out is not None:
            _check_out(op, shape, dtype, out, inputs, elementwise)
            memory_order = out.transpose(_to_last(out.ndim)) if channels_last else out
            if memory_order.flags.c_contiguous and _aligned(out):
                self.array = out
                return
        allocate = empty_channels_last if channels_last else empty
        try:
            self.array = allocate(shape, dtype, like=like)
        except ValueError:  # of NumPy, which knows neither operator nor shape
            raise ValueError(f"{op}: the result would have shape {shape}, which no array can have") from None

    def finish(self) -> Array:
        if self._out is None:
            return self.array
        if self._out is not self.array:
            assign(self._out, self.array)
        return self._out


def _check_out(
    op: str,
    shape: tuple[int, ...],
    dtype: np.dtype,
    out: Array,
    inputs: dict[str, Array | None],
    elementwise: bool,
) -> None:
    require_arrays(op, **inputs, out=out)
    if out.dtype != dtype:
        raise TypeError(f"{op}: out must be {dtype}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"{op}: out must have shape {shape}, got {out.shape}")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError(f"{op}: out must be writeable, got a read-only array")
    for name, array in inputs.items():
        if array is None or (elementwise and array is out):
            continue
        if _backend.array_module(out).may_share_memory(out, array):
            raise ValueError(f"{op}: out must not share memory with {name}")

"""Random numbers from counters (Philox4x32-10): contracts."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result

_LIMIT = 1 << 64
_NUMBER_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def philox_uint32(seed: int, stream: int, start: int, count: int, *, out: Array | None = None) -> Array:
    """Words start .. start + count of the random sequence (seed, stream).

    Word i is word i % 4 of the Philox4x32-10 block with counter (lo(i // 4), hi(i // 4), lo(stream), hi(stream))
    and key (lo(seed), hi(seed)); lo and hi are the halves of a 64-bit number.

    Parameters
    ----------
    seed, stream : ints in [0, 2^64), such as `gpudl.random.Generator.next_stream()` gives.
    start, count : ints >= 0 with start + count <= 2^64.
    out : (count,) uint32 to write to, or None for a new array on the device of `use_backend`.

    Returns
    -------
    (count,) uint32. Every executor gives the same words, whatever piece of the sequence is asked for.

    Raises
    ------
    ValueError : a number is out of its range, or `out` has another shape.
    TypeError : a number is not an int, or `out` is not a uint32 array.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11.
    """
    return _sequence("philox_uint32", seed, stream, start, count, np.dtype(np.uint32), out)


def philox_uint32_rows(seed: int, stream: int, rows: Array, count: int, *, out: Array | None = None) -> Array:
    """`count` words of (seed, stream) for each of many samples, which depend on the sample's number alone.

    out[s, j] is word j of the blocks from rows[s] * ceil(count / 4) on (counters modulo 2^64), so that two
    rows never share a word.

    seed, stream : ints in [0, 2^64). rows : (S,) of any integer dtype. count : int >= 0.
    out : (S, count) uint32 or None. Returns (S, count) uint32 on the device of rows.
    Raises ValueError and TypeError for what does not fit.
    """
    op = "philox_uint32_rows"
    seed, stream = (counter(op, name, value) for name, value in (("seed", seed), ("stream", stream)))
    executor = _arrays.require_arrays(op, rows=rows)
    _arrays.require_ndim(op, "rows", rows, "(S,)")
    if rows.dtype.kind not in "iu":
        raise TypeError(f"{op}: rows must have an integer dtype, got {rows.dtype}")
    count = _arrays.integer(op, "count", count, minimum=0)
    made = Result(op, (len(rows), count), out, {"rows": rows}, dtype=np.dtype(np.uint32))
    executor.philox_uint32_rows(rows.astype(np.uint64), made.array, seed=seed, stream=stream)
    return made.finish()


def philox_uniform(
    seed: int, stream: int, start: int, count: int, *, dtype: Any = None, out: Array | None = None
) -> Array:
    """Numbers in [0, 1) from words start .. start + count of (seed, stream), one word each.

    float32 (the default): (word >> 8) * 2^-24. float64: word * 2^-32. Exact, the same on every executor.
    out : (count,) of dtype, or None. Raises as `philox_uint32` does, and TypeError for another dtype.
    """
    op = "philox_uniform"
    return _sequence(op, seed, stream, start, count, _number_dtype(op, dtype), out)


def philox_normal(
    seed: int, stream: int, start: int, count: int, *, dtype: Any = None, out: Array | None = None
) -> Array:
    """Standard normal numbers start .. start + count of (seed, stream), one word each (Box and Muller 1958).

    Elements 2j and 2j + 1 are r cos(2 pi v) and r sin(2 pi v) with r = sqrt(-2 log u),
    u = ((word 2j >> 8) + 1) * 2^-24 and v = (word 2j+1 >> 8) * 2^-24. The largest is 5.77.

    dtype : float32 (the default) or float64. out : (count,) of dtype, or None. Executors agree but for the
    rounding of log, cos and sin. Raises as `philox_uniform` does.
    """
    op = "philox_normal"
    return _sequence(op, seed, stream, start, count, _number_dtype(op, dtype), out)


def counter(op: str, name: str, value: object) -> int:
    """`value` as an int in [0, 2^64)."""
    number = _arrays.integer(op, name, value, minimum=0)
    if number >= _LIMIT:
        raise ValueError(f"{op}: {name} must be below 2^64, got {number}")
    return number


def _sequence(
    op: str, seed: int, stream: int, start: int, count: int, dtype: np.dtype, out: Array | None
) -> Array:
    seed, stream, start = (
        counter(op, name, value) for name, value in (("seed", seed), ("stream", stream), ("start", start))
    )
    count = _arrays.integer(op, "count", count, minimum=0)
    if start + count > _LIMIT:
        raise ValueError(f"{op}: start + count must be at most 2^64, got {start} + {count}")
    if out is None:
        out = _backend.move(np.empty(count, dtype), _backend.current_backend())
    executor = _arrays.require_arrays(op, out=out)
    made = Result(op, (count,), out, {}, dtype=dtype)
    getattr(executor, op)(made.array, seed=seed, stream=stream, start=start)
    return made.finish()


def _number_dtype(op: str, dtype: Any) -> np.dtype:
    found = np.dtype(np.float32 if dtype is None else dtype)
    if found not in _NUMBER_DTYPES:
        raise TypeError(f"{op}: dtype must be float32 or float64, got {found}")
    return found

"""Walks over flat memory in blocks that stay in cache, and functions that NumPy lacks or is slow at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel

# Elements of a block. Of two threads each waits for the interpreter lock between calls and is woken late, so calls
# have to be long: blocks of 65536 took 1.1 to 1.4 times as long as these; longer ones leave the cache.
BLOCK = 1 << 18
# Elements that one thread does alone where a function is one to three passes: of 400,000 to 600,000 two threads, which
# wake and pass on the interpreter's lock, took 1.0 to 2.5 times as long.
CHEAP = 5 << 17
_INTEGERS = {4: np.int32, 8: np.int64}


def run(function: Callable[..., None], *arrays: np.ndarray, alone: int = 1 << 15) -> None:
    """function(piece of each array), floating-point warnings off; all (M,).

    alone : elements that one thread does before a second one is awake; 32768 take `exp` 50 us.
    """
    pieces = _parallel.equal_ranges(len(arrays[0]), BLOCK, alone=alone, multiple=16)

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        function(*(array[piece] for array in arrays))

    _parallel.run(block, len(pieces), blas=False)


def buffer(key: str, like: np.ndarray, dtype: np.dtype | type | None = None) -> np.ndarray:
    """This thread's scratch of the length of `like`."""
    return _parallel.scratch(f"elementwise_{key}", like.shape, like.dtype if dtype is None else dtype)


def keep(x: np.ndarray, kept: np.ndarray, out: np.ndarray) -> np.ndarray:
    """x where `kept` (bool) is True, else 0; out may be x.

    A product of bits as integers, as a product of floats would make NaN of a dropped inf. `numpy.copyto` with
    `where` branches at every element and took ten times as long.
    """
    integer = _INTEGERS[x.itemsize]
    np.multiply(x.view(integer), kept.view(np.int8), out=out.view(integer))
    return out


def clear(x: np.ndarray) -> None:
    """x = 0, where its last axis is dense; bytes take 0.4 of the time of floats, as NumPy then calls memset."""
    x.view(np.uint8)[...] = 0


def sigmoid(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), 0 and 1 at the ends; out may be x."""
    divisor = buffer("divisor", x)
    np.negative(x, out=divisor)
    np.exp(divisor, out=divisor)
    divisor += 1
    return np.reciprocal(divisor, out=out)


def log1p(u: np.ndarray, out: np.ndarray) -> np.ndarray:
    """log(1 + u) for u in [-1, 1], to a few units in the last place however small it is.

    With w = 1 + u as rounded it is log(w) plus what the rounding left out, u - (w - 1), which is exact.
    numpy.log1p has no vector code below AVX-512 and took four times as long.
    """
    rounded = buffer("rounded", u)
    np.add(u, 1, out=rounded)
    np.log(rounded, out=out)
    rounded -= 1
    np.subtract(u, rounded, out=rounded)
    return np.add(out, rounded, out=out)


def log1p_exp_of_minus_abs(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """log(1 + exp(-|x|))."""
    u = buffer("exp", x)
    np.abs(x, out=u)
    np.negative(u, out=u)
    np.exp(u, out=u)
    return log1p(u, out)

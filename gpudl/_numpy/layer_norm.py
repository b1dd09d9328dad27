"""Layer normalisation of the rows of (rows, K), in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpudl import _parallel
from gpudl._numpy._channels import column_dots, column_sums
from gpudl._numpy._precision import computed_in_float32

_WIDE = 1 << 13  # elements of joined rows
# Elements of a block. Beyond the cache, and still the fastest: of two threads each waits for the interpreter lock
# between calls, and is woken late, so calls have to be long. Blocks of 131072 took 1.2 to 1.3 times as long.
_BLOCK = 1 << 19
# Elements that one thread does before a second one is awake: the passes over 32768 take 40 us.
_ALONE = 1 << 16


@computed_in_float32("y")
def layer_norm_forward(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    y: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    *,
    eps: float,
) -> None:
    """y = (x - mean) * rstd * weight + bias with the mean and biased variance of each row."""
    extent = x.shape[1]
    weights, biases = _joined(weight), _joined(bias)

    def block(rows: slice, _: int) -> None:
        deviation = _parallel.scratch("layer_norm_deviation", x[rows].shape, x.dtype)
        np.divide(_row_sums(x[rows]), extent, out=mean[rows])
        np.subtract(x[rows], mean[rows, None], out=deviation)
        variance = _row_dots(deviation, deviation) / extent
        np.divide(1, np.sqrt(variance + eps), out=rstd[rows])
        scaled = y[rows] if weight is None and bias is None else deviation
        np.multiply(deviation, rstd[rows, None], out=scaled)
        if weight is not None:
            _by_column(np.multiply, scaled, weights, y[rows] if bias is None else scaled)
        if bias is not None:
            _by_column(np.add, scaled, biases, y[rows])

    _over_rows(block, _pieces(x))


@computed_in_float32("dx", "dweight", "dbias")
def layer_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    dx: np.ndarray | None,
    dweight: np.ndarray | None,
    dbias: np.ndarray | None,
) -> None:
    """Gradients of `layer_norm_forward`; None for one that is not wanted.

    With g = dy * weight * rstd: dx = g - mean of g - (x - mean) * rstd**2 * mean of g * (x - mean).
    """
    pieces, extent = _pieces(x), x.shape[1]
    factors = _joined(weight)
    weights = np.zeros((len(pieces), extent), x.dtype)
    biases = np.zeros_like(weights)

    def block(rows: slice, i: int) -> None:
        gradient, inverse = dy[rows], rstd[rows, None]
        if dbias is not None:
            biases[i] = column_sums(gradient)
        if dx is None and dweight is None:
            return
        deviation = _parallel.scratch("layer_norm_deviation", gradient.shape, x.dtype)
        np.subtract(x[rows], mean[rows, None], out=deviation)
        scaled = _parallel.scratch("layer_norm_scaled", gradient.shape, x.dtype)
        np.multiply(gradient, inverse, out=scaled)
        if dweight is not None:
            weights[i] = column_dots(scaled, deviation)
        if dx is None:
            return
        if weight is not None:
            _by_column(np.multiply, scaled, factors, scaled)
        average = _row_sums(scaled)[:, None] / extent
        slope = _row_dots(scaled, deviation)[:, None] / extent * inverse**2
        np.multiply(deviation, slope, out=deviation)
        np.add(deviation, average, out=deviation)
        np.subtract(scaled, deviation, out=dx[rows])

    _over_rows(block, pieces)
    with np.errstate(all="ignore"):
        for result, partials in ((dweight, weights), (dbias, biases)):
            if result is not None:
                result[...] = partials.sum(axis=0, dtype=np.float64)


def _joined(vector: np.ndarray | None) -> np.ndarray | None:
    """(rows, K), the vector as often as a long loop of NumPy wants it."""
    if vector is None:
        return None
    joined = np.empty((max(1, _WIDE // len(vector)), len(vector)), vector.dtype)
    joined[...] = vector
    return joined


def _by_column(function: np.ufunc, a: np.ndarray, joined: np.ndarray, out: np.ndarray) -> None:
    """out = function(a, the vector of `joined`), several rows of a at once and what is left of them."""
    middle = len(a) // len(joined) * len(joined)
    shape = (-1, joined.size)
    function(a[:middle].reshape(shape), joined.reshape(-1), out=out[:middle].reshape(shape))
    function(a[middle:], joined[0], out=out[middle:])


def _row_sums(a: np.ndarray) -> np.ndarray:
    return a @ np.ones(a.shape[1], a.dtype)


def _row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", a, b)


def _pieces(x: np.ndarray) -> list[tuple[int, int]]:
    if x.size == 0:
        return []
    longest, alone = (max(1, size // x.shape[1]) for size in (_BLOCK, _ALONE))
    return _parallel.equal_ranges(len(x), longest, alone=alone)


def _over_rows(block: Callable[[slice, int], None], pieces: list[tuple[int, int]]) -> None:
    _parallel.run(lambda i: block(slice(*pieces[i]), i), len(pieces))

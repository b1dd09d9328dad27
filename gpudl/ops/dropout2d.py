"""Dropout of whole channels without a stored mask: contracts."""

from __future__ import annotations

import math

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result
from gpudl.ops.philox import counter


def dropout2d_forward(x: Array, *, p: float, seed: int, stream: int, out: Array | None = None) -> Array:
    """y[n, c] = x[n, c] * m[n, c], where m is 0 with probability p and 1 / (1 - p) otherwise.

    Channel c of sample n is dropped where word n * C + c of the random sequence (seed, stream), see
    `philox_uint32`, is below p * 2^32.

    Parameters
    ----------
    x : (N, C, H, W) or (N, C, L), float16, bfloat16, float32 or float64, NumPy or CuPy.
    p : the probability of dropping (not of keeping), in [0, 1].
    seed, stream : ints in [0, 2^64), such as `gpudl.random.Generator.next_stream()` gives.
    out : array like x to write to, or None for a new one; it may be x itself.

    Raises
    ------
    ValueError : the rank is another, a number is out of its range, or `out` does not fit.
    TypeError : a dtype is unsupported.

    Follows torch.nn.functional.dropout2d; Tompson et al., CVPR 2015.
    """
    return _dropout2d("dropout2d_forward", "x", x, p, seed, stream, out)


def dropout2d_backward(dy: Array, *, p: float, seed: int, stream: int, out: Array | None = None) -> Array:
    """Gradient of `dropout2d_forward`: dx[n, c] = dy[n, c] * m[n, c] with the m of the same p, seed and stream.

    dy : the shape of x. out : array like dy, or None; it may be dy itself. Raises as `dropout2d_forward` does.
    """
    return _dropout2d("dropout2d_backward", "dy", dy, p, seed, stream, out)


def _dropout2d(op: str, name: str, x: Array, p: float, seed: int, stream: int, out: Array | None) -> Array:
    executor = _arrays.require_floats(op, **{name: x})
    if x.ndim not in (3, 4):
        raise ValueError(f"{op}: {name} must have shape (N, C, H, W) or (N, C, L), got {x.shape}")
    p = _arrays.real(op, "p", p, minimum=0, maximum=1)
    seed, stream = counter(op, "seed", seed), counter(op, "stream", stream)
    dense = _arrays.channels_last(x)
    y = Result(op, x.shape, out, {name: x}, channels_last=True, elementwise=True)
    rows = (x.shape[0], math.prod(x.shape[2:]), x.shape[1])
    tables = (_arrays.flat(array).reshape(rows) for array in (dense, y.array))
    executor.dropout2d(*tables, p=p, seed=seed, stream=stream)
    return y.finish()

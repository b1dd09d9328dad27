"""Dropout without a stored mask: contracts."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result
from gpudl.ops.philox import counter


def dropout_forward(x: Array, *, p: float, seed: int, stream: int, out: Array | None = None) -> Array:
    """y = x * m, where m is 0 with probability p and 1 / (1 - p) otherwise, drawn for each element.

    Element i is dropped where word i of the random sequence (seed, stream), see `philox_uint32`, is below
    p * 2^32. Elements are counted in the order (N, H, W, C) for 4 axes, else in C order.

    Parameters
    ----------
    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy.
    p : the probability of dropping (not of keeping), in [0, 1].
    seed, stream : ints in [0, 2^64), such as `gpudl.random.Generator.next_stream()` gives.
    out : array like x to write to, or None for a new one; it may be x itself.

    Raises
    ------
    ValueError : a number is out of its range, or `out` does not fit. TypeError : a dtype is unsupported.

    No mask is stored: the backward draws the same numbers again, and so does every executor. A dropped inf is
    NaN, as in torch.nn.functional.dropout. Srivastava et al., JMLR 2014.
    """
    return _dropout("dropout_forward", "x", x, p, seed, stream, out)


def dropout_backward(dy: Array, *, p: float, seed: int, stream: int, out: Array | None = None) -> Array:
    """Gradient of `dropout_forward`: dx = dy * m with the m of the same p, seed and stream.

    dy : the shape of x. out : array like dy, or None; it may be dy itself. Raises as `dropout_forward` does.
    """
    return _dropout("dropout_backward", "dy", dy, p, seed, stream, out)


def _dropout(op: str, name: str, x: Array, p: float, seed: int, stream: int, out: Array | None) -> Array:
    executor = _arrays.require_floats(op, **{name: x})
    p = _arrays.real(op, "p", p, minimum=0, maximum=1)
    seed, stream = counter(op, "seed", seed), counter(op, "stream", stream)
    dense = _arrays.channels_last(x) if x.ndim == 4 else _arrays.contiguous(x)
    y = Result(op, x.shape, out, {name: x}, channels_last=x.ndim == 4, elementwise=True)
    executor.dropout(_arrays.flat(dense), _arrays.flat(y.array), p=p, seed=seed, stream=stream)
    return y.finish()

"""Additive Gaussian noise: contract."""

from __future__ import annotations

from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops._arrays import Result
from gpudl.ops.philox import counter


def gaussian_noise_forward(
    x: Array, *, std: float, seed: int, stream: int, out: Array | None = None
) -> Array:
    """y = x + std * z with independent standard normal z; the gradient is dx = dy.

    z of element i is number i of `philox_normal` for (seed, stream). Elements are counted in the order
    (N, H, W, C) for 4 axes, else in C order.

    x : float16, bfloat16, float32 or float64 of any shape, NumPy or CuPy. std : >= 0.
    seed, stream : ints in [0, 2^64), such as `gpudl.random.Generator.next_stream()` gives.
    out : array like x to write to, or None for a new one; it may be x itself.
    Raises ValueError for a number out of its range or `out` that does not fit, TypeError for another dtype.
    """
    op = "gaussian_noise_forward"
    executor = _arrays.require_floats(op, x=x)
    std = _arrays.real(op, "std", std, minimum=0)
    seed, stream = counter(op, "seed", seed), counter(op, "stream", stream)
    dense = _arrays.channels_last(x) if x.ndim == 4 else _arrays.contiguous(x)
    y = Result(op, x.shape, out, {"x": x}, channels_last=x.ndim == 4, elementwise=True)
    executor.gaussian_noise(_arrays.flat(dense), _arrays.flat(y.array), std=std, seed=seed, stream=stream)
    return y.finish()

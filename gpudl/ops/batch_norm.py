"""Batch normalisation: contracts."""

from __future__ import annotations

import numpy as np

from gpudl._backend import Array
from gpudl.ops import _arrays, _normalisation
from gpudl.ops._arrays import Result
from gpudl.ops._normalisation import channels_last_rows


def batch_norm_forward(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    num_batches_tracked: Array | None = None,
    *,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise each channel with the statistics of the batch, and track them.

    y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and biased variance over all axes but C.
    running = (1 - momentum) * running + momentum * new, in place; running_var takes the unbiased variance.

    Parameters
    ----------
    x : (N, C, ...) float16, bfloat16, float32 or float64, NumPy or CuPy, not with a single value per channel. An empty
        x leaves running_mean and running_var as they are, and is counted.
    weight, bias : (C,) or None (1 and 0), dtype and device of x.
    running_mean, running_var : (C,) float32 (float64 for float64 x), both or neither; written.
    num_batches_tracked : int64 array of shape (), or None; it is counted up by one.
    momentum : weight of the new value in [0, 1]; None for 1 / num_batches_tracked, the plain average.
    eps : at least 0. out : array like x to write y to, or None.

    Returns
    -------
    y : like x, channels-last. mean, rstd = 1 / sqrt(var + eps) : (C,) float32 (float64), for the backward.

    Raises
    ------
    ValueError, TypeError : shapes, dtypes, devices or numbers do not fit; nothing has been written then.

    Block sums in float32 around the block's own mean, merged in float64 (all float64 for float64).
    Same inputs, same device: same bits. Follows torch.nn.functional.batch_norm(training=True).
    """
    op = "batch_norm_forward"
    executor, (weight, bias) = _check(op, x, weight, bias)
    _check_running(op, x, running_mean, running_var)
    momentum, eps = _check_tracking(op, running_mean, num_batches_tracked, momentum), _eps(op, eps)
    if x.size and x.size == x.shape[1]:
        raise ValueError(f"{op}: expected more than 1 value per channel when training, got x {x.shape}")
    _normalisation.require_writeable(
        op, running_mean=running_mean, running_var=running_var, num_batches_tracked=num_batches_tracked
    )
    inputs = {
        "x": x, "weight": weight, "bias": bias, "running_mean": running_mean, "running_var": running_var,
    }  # fmt: skip
    y = Result(op, x.shape, out, inputs, channels_last=True)
    mean, rstd = (_arrays.empty((x.shape[1],), _normalisation.statistics_dtype(x), like=x) for _ in range(2))
    tracked = [None if array is None else _arrays.contiguous(array) for array in (running_mean, running_var)]
    executor.batch_norm_forward(
        channels_last_rows(_arrays.channels_last(x)), weight, bias, channels_last_rows(y.array), mean, rstd,
        *tracked, num_batches_tracked, momentum=momentum, eps=eps,
    )  # fmt: skip
    for array, written in zip((running_mean, running_var), tracked, strict=True):
        if array is not written:
            array[...] = written
    return y.finish(), mean, rstd


def batch_norm_inference(
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> Array:
    """y = (x - running_mean) / sqrt(running_var + eps) * weight + bias, channel by channel.

    Arguments as in `batch_norm_forward`; x may be empty. Returns y : like x, channels-last.
    Raises ValueError and TypeError for what does not fit. Follows torch.nn.functional.batch_norm(training=False).
    """
    op = "batch_norm_inference"
    executor, (weight, bias) = _check(op, x, weight, bias)
    mean, variance = _statistics(op, x, running_mean=running_mean, running_var=running_var)
    eps = _eps(op, eps)
    inputs = {"x": x, "weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    y = Result(op, x.shape, out, inputs, channels_last=True)
    executor.batch_norm_inference(
        channels_last_rows(_arrays.channels_last(x)), mean, variance, weight, bias,
        channels_last_rows(y.array), eps=eps,
    )  # fmt: skip
    return y.finish()


def batch_norm_backward(
    dy: Array,
    x: Array,
    mean: Array,
    rstd: Array,
    weight: Array | None = None,
    *,
    input_gradient: bool = True,
    weight_gradient: bool = True,
    bias_gradient: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of `batch_norm_forward`: (dx, dweight, dbias).

    With xhat = (x - mean) * rstd: dbias = sum of dy, dweight = sum of dy * xhat over all axes but C, and
    dx = weight * rstd * (dy - dbias / M - xhat * dweight / M) where M is the number of values per channel.

    dy, x : (N, C, ...), one dtype and device. mean, rstd : (C,), as the forward returned them.
    weight : (C,) or None. input_gradient, weight_gradient, bias_gradient : False gives None and saves its work.
    Raises ValueError and TypeError for what does not fit. Precision and determinism as the forward.
    """
    op = "batch_norm_backward"
    flags = {"input": input_gradient, "weight": weight_gradient, "bias": bias_gradient}
    _, (weight,) = _check_backward(op, dy, x, weight)
    mean, rstd = _statistics(op, x, mean=mean, rstd=rstd)
    return _backward(op, dy, x, (mean, rstd), weight, flags, {})


def batch_norm_inference_backward(
    dy: Array,
    x: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    *,
    eps: float = 1e-5,
    input_gradient: bool = True,
    weight_gradient: bool = True,
    bias_gradient: bool = True,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients of `batch_norm_inference`, whose statistics are constants: (dx, dweight, dbias).

    dx = dy * weight / sqrt(running_var + eps); dweight and dbias as in `batch_norm_backward`, as are the
    arguments and errors.
    """
    op = "batch_norm_inference_backward"
    flags = {"input": input_gradient, "weight": weight_gradient, "bias": bias_gradient}
    _, (weight,) = _check_backward(op, dy, x, weight)
    statistics = _statistics(op, x, running_mean=running_mean, running_var=running_var)
    return _backward(op, dy, x, statistics, weight, flags, {"eps": _eps(op, eps)})


def _backward(
    op: str,
    dy: Array,
    x: Array,
    statistics: list[Array],
    weight: Array | None,
    flags: dict[str, bool],
    numbers: dict[str, float],
) -> tuple[Array | None, Array | None, Array | None]:
    executor = _arrays.require_floats(op, dy=dy)
    _normalisation.require_flags(op, **{f"{name}_gradient": flag for name, flag in flags.items()})
    dx = _arrays.empty_channels_last(x.shape, x.dtype, like=x) if flags["input"] else None
    dweight, dbias = (
        _arrays.empty((x.shape[1],), x.dtype, like=x) if flags[name] else None for name in ("weight", "bias")
    )
    if any(flags.values()):
        getattr(executor, op)(
            channels_last_rows(_arrays.channels_last(dy)), channels_last_rows(_arrays.channels_last(x)),
            *statistics, weight, None if dx is None else channels_last_rows(dx), dweight, dbias, **numbers,
        )  # fmt: skip
    return dx, dweight, dbias


# ---- checks


def _check(op: str, x: Array, weight: Array | None, bias: Array | None):
    executor = _arrays.require_floats(op, x=x, weight=weight, bias=bias)
    _normalisation.require_channels(op, "x", x)
    why = f"(C,) of x {x.shape}"
    vectors = _normalisation.parameters(op, (x.shape[1],), why, ("weight", weight), ("bias", bias))
    return executor, vectors


def _check_backward(op: str, dy: Array, x: Array, weight: Array | None):
    executor = _arrays.require_floats(op, dy=dy, x=x, weight=weight)
    _normalisation.require_channels(op, "x", x)
    _arrays.require_shape(op, "dy", dy, x.shape, "that of x")
    why = f"(C,) of x {x.shape}"
    return executor, _normalisation.parameters(op, (x.shape[1],), why, ("weight", weight))


def _statistics(op: str, x: Array, **arrays: Array) -> list[Array]:
    for name, array in arrays.items():
        if array is None:
            raise TypeError(f"{op}: {name} must be a NumPy or CuPy array, got NoneType")
    _normalisation.require_statistics(op, x, (x.shape[1],), f"(C,) of x {x.shape}", **arrays)
    return [_arrays.contiguous(array) for array in arrays.values()]


def _check_running(op: str, x: Array, running_mean: Array | None, running_var: Array | None) -> None:
    if (running_mean is None) != (running_var is None):
        absent = "running_mean" if running_mean is None else "running_var"
        raise ValueError(f"{op}: running_mean and running_var go together, got {absent} None")
    why = f"(C,) of x {x.shape}"
    _normalisation.require_statistics(
        op, x, (x.shape[1],), why, running_mean=running_mean, running_var=running_var
    )


def _check_tracking(
    op: str, running_mean: Array | None, num_batches_tracked: Array | None, momentum: float | None
) -> float | None:
    if num_batches_tracked is not None:
        if running_mean is None:
            raise ValueError(f"{op}: num_batches_tracked counts updates of running_mean, which is None")
        _arrays.require_arrays(op, running_mean=running_mean, num_batches_tracked=num_batches_tracked)
        if num_batches_tracked.dtype != np.int64:
            raise TypeError(f"{op}: num_batches_tracked must be int64, got {num_batches_tracked.dtype}")
        _arrays.require_shape(op, "num_batches_tracked", num_batches_tracked, (), "one number")
    if momentum is None:
        if num_batches_tracked is None:
            raise ValueError(f"{op}: momentum None needs num_batches_tracked, got None")
        return None
    return _arrays.real(op, "momentum", momentum, minimum=0.0, maximum=1.0)


def _eps(op: str, eps: float) -> float:
    return _arrays.real(op, "eps", eps, minimum=0.0)

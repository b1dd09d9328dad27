"""Group normalisation: contracts."""

from __future__ import annotations

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays, _normalisation
from gpudl.ops._arrays import Result


def group_norm_forward(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with the statistics of each group of a sample.

    x : (N, C, ...) float16, bfloat16, float32 or float64, NumPy or CuPy; C divisible by num_groups, and more
    than one value per group in the batch. num_groups : G, at least 1; group g holds channels g*C/G to (g+1)*C/G - 1.
    weight, bias : (C,) or None (1 and 0), dtype and device of x. eps : at least 0.
    out : array like x to write y to, or None.

    Returns y : like x, channels-last; mean and rstd = 1 / sqrt(var + eps), of the biased variance over the
    channels of the group and all further axes : (N, G) float32 (float64 for float64 x), for the backward.
    Raises ValueError and TypeError for what does not fit.
    Sums in float32 (float64 for float64) of deviations from the mean. Same inputs, same device: same bits.
    Follows torch.nn.functional.group_norm.
    """
    op = "group_norm_forward"
    executor = _arrays.require_floats(op, x=x, weight=weight, bias=bias)
    _normalisation.require_channels(op, "x", x)
    groups = _arrays.integer(op, "num_groups", num_groups, minimum=1)
    _check_groups(op, x, groups)
    if x.size == groups:
        raise ValueError(f"{op}: expected more than 1 value per group, got x {x.shape} in {groups} groups")
    weight, bias = _normalisation.parameters(
        op, (x.shape[1],), f"(C,) of x {x.shape}", ("weight", weight), ("bias", bias)
    )
    eps = _arrays.real(op, "eps", eps, minimum=0.0)
    y = Result(op, x.shape, out, {"x": x, "weight": weight, "bias": bias}, channels_last=True)
    dtype = _normalisation.statistics_dtype(x)
    mean, rstd = (_arrays.empty((x.shape[0], groups), dtype, like=x) for _ in range(2))
    executor.group_norm_forward(
        _samples(_arrays.channels_last(x)), weight, bias, _samples(y.array), mean, rstd, eps=eps
    )
    return y.finish(), mean, rstd


def group_norm_backward(
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
    """Gradients of `group_norm_forward`: (dx, dweight, dbias).

    With xhat = (x - mean) * rstd and g = dy * weight: dbias = sum of dy, dweight = sum of dy * xhat over all
    axes but C, dx = rstd * (g - mean of g - xhat * mean of g * xhat), the means over the group of the sample.

    dy, x : (N, C, ...), one dtype and device. mean, rstd : (N, G), as the forward returned them.
    weight : (C,) or None. input_gradient, weight_gradient, bias_gradient : False gives None and saves its work.
    Raises ValueError and TypeError for what does not fit.
    """
    op = "group_norm_backward"
    executor = _arrays.require_floats(op, dy=dy, x=x, weight=weight)
    _normalisation.require_channels(op, "x", x)
    _arrays.require_shape(op, "dy", dy, x.shape, "that of x")
    _arrays.require_arrays(op, x=x, mean=mean, rstd=rstd)
    _arrays.require_ndim(op, "mean", mean, "(N, G)")
    _check_groups(op, x, mean.shape[1])
    shape = (x.shape[0], mean.shape[1])
    _normalisation.require_statistics(op, x, shape, f"(N, G) of x {x.shape}", mean=mean, rstd=rstd)
    (weight,) = _normalisation.parameters(op, (x.shape[1],), f"(C,) of x {x.shape}", ("weight", weight))
    _normalisation.require_flags(
        op, input_gradient=input_gradient, weight_gradient=weight_gradient, bias_gradient=bias_gradient
    )
    dx = _arrays.empty_channels_last(x.shape, x.dtype, like=x) if input_gradient else None
    dweight, dbias = (
        _arrays.empty((x.shape[1],), x.dtype, like=x) if wanted else None
        for wanted in (weight_gradient, bias_gradient)
    )
    executor.group_norm_backward(
        _samples(_arrays.channels_last(dy)), _samples(_arrays.channels_last(x)), _arrays.contiguous(mean),
        _arrays.contiguous(rstd), weight, None if dx is None else _samples(dx), dweight, dbias,
    )  # fmt: skip
    return dx, dweight, dbias


def _check_groups(op: str, x: Array, groups: int) -> None:
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"{op}: C of x {x.shape} must be divisible by num_groups, got {groups}")


def _samples(x: Array) -> Array:
    """(N, C, ...) in channels-last memory as (N, L, C), without a copy."""
    length = 1
    for size in x.shape[2:]:
        length *= size
    return _backend.array_module(x).moveaxis(x, 1, -1).reshape(x.shape[0], length, x.shape[1])

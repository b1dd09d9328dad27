"""Layer normalisation: contracts."""

from __future__ import annotations

from collections.abc import Sequence

from gpudl._backend import Array
from gpudl.ops import _arrays, _normalisation
from gpudl.ops._arrays import Result


def layer_norm_forward(
    x: Array,
    normalized_shape: int | Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and biased variance over the last axes.

    x : (..., *normalized_shape) float16, bfloat16, float32 or float64, NumPy or CuPy.
    normalized_shape : the extents of the last axes, one int or several, each at least 1.
    weight, bias : normalized_shape or None (1 and 0), dtype and device of x. eps : at least 0.
    out : array like x to write y to, or None.

    Returns y : like x, C-contiguous; mean and rstd = 1 / sqrt(var + eps) : the leading axes, float32 (float64
    for float64 x), for the backward. Raises ValueError and TypeError for what does not fit.
    Sums in float32 (float64 for float64) of deviations from the mean. Same inputs, same device: same bits.
    Follows torch.nn.functional.layer_norm.
    """
    op = "layer_norm_forward"
    executor = _arrays.require_floats(op, x=x, weight=weight, bias=bias)
    shape = normalized_axes(op, normalized_shape)
    axes = x.ndim - len(shape)
    if axes < 0 or x.shape[axes:] != shape:
        raise ValueError(f"{op}: x must end in normalized_shape {shape}, got {x.shape}")
    weight, bias = _normalisation.parameters(
        op, shape, "normalized_shape", ("weight", weight), ("bias", bias)
    )
    eps = _arrays.real(op, "eps", eps, minimum=0.0)
    y = Result(op, x.shape, out, {"x": x, "weight": weight, "bias": bias})
    dtype = _normalisation.statistics_dtype(x)
    mean, rstd = (_arrays.empty(x.shape[:axes], dtype, like=x) for _ in range(2))
    executor.layer_norm_forward(
        _rows(_arrays.contiguous(x), axes), _flat(weight), _flat(bias), _rows(y.array, axes),
        mean.reshape(-1), rstd.reshape(-1), eps=eps,
    )  # fmt: skip
    return y.finish(), mean, rstd


def layer_norm_backward(
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
    """Gradients of `layer_norm_forward`: (dx, dweight, dbias).

    With xhat = (x - mean) * rstd and g = dy * weight: dbias = sum of dy, dweight = sum of dy * xhat over the
    leading axes, dx = rstd * (g - mean of g - xhat * mean of g * xhat), the means over the normalised axes.

    dy, x : one shape, dtype and device. mean, rstd : the leading axes of x, as the forward returned them.
    weight : the other axes, or None. input_gradient, weight_gradient, bias_gradient : False gives None and
    saves its work. Raises ValueError and TypeError for what does not fit.
    """
    op = "layer_norm_backward"
    executor = _arrays.require_floats(op, dy=dy, x=x, weight=weight)
    _arrays.require_shape(op, "dy", dy, x.shape, "that of x")
    _arrays.require_arrays(op, x=x, mean=mean, rstd=rstd)
    axes = mean.ndim
    if axes >= x.ndim:
        raise ValueError(f"{op}: mean must have fewer axes than x {x.shape}, got {mean.shape}")
    _normalisation.require_statistics(
        op, x, x.shape[:axes], f"the leading axes of x {x.shape}", mean=mean, rstd=rstd
    )
    shape = x.shape[axes:]
    (weight,) = _normalisation.parameters(op, shape, f"the last axes of x {x.shape}", ("weight", weight))
    _normalisation.require_flags(
        op, input_gradient=input_gradient, weight_gradient=weight_gradient, bias_gradient=bias_gradient
    )
    dx = _arrays.empty(x.shape, x.dtype, like=x) if input_gradient else None
    dweight, dbias = (
        _arrays.empty(shape, x.dtype, like=x) if wanted else None
        for wanted in (weight_gradient, bias_gradient)
    )
    executor.layer_norm_backward(
        _rows(_arrays.contiguous(dy), axes), _rows(_arrays.contiguous(x), axes),
        _arrays.contiguous(mean).reshape(-1), _arrays.contiguous(rstd).reshape(-1), _flat(weight),
        None if dx is None else _rows(dx, axes), _flat(dweight), _flat(dbias),
    )  # fmt: skip
    return dx, dweight, dbias


def normalized_axes(op: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """normalized_shape as a tuple of at least one positive int."""
    if not isinstance(normalized_shape, tuple | list):
        return (_arrays.integer(op, "normalized_shape", normalized_shape, minimum=1),)
    if not normalized_shape:
        raise ValueError(f"{op}: normalized_shape must have at least one extent, got {normalized_shape!r}")
    return _arrays.integers(op, "normalized_shape", normalized_shape, len(normalized_shape), minimum=1)


def _rows(x: Array, axes: int) -> Array:
    """Dense (..., *normalized) as (rows, K)."""
    extent = 1
    for size in x.shape[axes:]:
        extent *= size
    return x.reshape(x.size // extent if extent else 0, extent)


def _flat(vector: Array | None) -> Array | None:
    return None if vector is None else vector.reshape(-1)

"""Initial values of parameters, by PyTorch's names, formulas and defaults.

Each function fills an array or a Parameter in place and returns it. Numbers come from `generator`, else from
`gpudl.random.default_generator`. Source: https://pytorch.org/docs/stable/nn.init.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpudl import _backend, random
from gpudl._backend import Array
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv_transpose2d": 1.0, "sigmoid": 1.0,
    "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Factor that keeps the variance through a nonlinearity.

    1 for linear, conv and sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + param^2)) for leaky_relu
    (param is the negative slope, 0.01 by default), 3/4 for selu.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else _arrays.real("calculate_gain", "param", param)
        return math.sqrt(2 / (1 + slope**2))
    _arrays.one_of("calculate_gain", "nonlinearity", nonlinearity, (*_GAINS, "leaky_relu"))
    if param is not None:
        raise ValueError(f"calculate_gain: param is for 'leaky_relu' only, got {param} for {nonlinearity!r}")
    return _GAINS[nonlinearity]


def constant_(tensor: Any, val: float) -> Any:
    """Fill with val."""
    _arrays.write(_array("constant_", tensor), _arrays.real("constant_", "val", val))
    return tensor


def zeros_(tensor: Any) -> Any:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Any) -> Any:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: random.Generator | None = None) -> Any:
    """Draw from U(a, b); b >= a."""
    a = _arrays.real("uniform_", "a", a)
    b = _arrays.real("uniform_", "b", b, minimum=a)
    return _fill("uniform_", tensor, generator, lambda rng, shape: rng.uniform(a, b, shape))


def normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, generator: random.Generator | None = None
) -> Any:
    """Draw from N(mean, std^2); std >= 0."""
    mean = _arrays.real("normal_", "mean", mean)
    std = _arrays.real("normal_", "std", std, minimum=0.0)
    return _fill("normal_", tensor, generator, lambda rng, shape: rng.normal(mean, std, shape))


def trunc_normal_(
    tensor: Any,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: random.Generator | None = None,
) -> Any:
    """Draw from N(mean, std^2) restricted to [a, b] (absolute values, not deviations); b > a, std > 0.

    Draws outside are drawn again, so the interval must hold at least 0.01 % of the distribution.
    """
    op = "trunc_normal_"
    mean = _arrays.real(op, "mean", mean)
    std = _arrays.real(op, "std", std, minimum=0.0)
    a, b = _arrays.real(op, "a", a), _arrays.real(op, "b", b)
    if std == 0 or b <= a:
        raise ValueError(f"{op}: expected std > 0 and a < b, got std={std}, a={a}, b={b}")
    inside = 0.5 * (math.erf((b - mean) / (std * math.sqrt(2))) - math.erf((a - mean) / (std * math.sqrt(2))))
    if inside < 1e-4:
        raise ValueError(f"{op}: [a, b] = [{a}, {b}] holds less than 0.01 % of N({mean}, {std}^2)")

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.normal(mean, std, shape)
        outside = (values < a) | (values > b)
        while outside.any():
            values[outside] = rng.normal(mean, std, int(outside.sum()))
            outside = (values < a) | (values > b)
        return values

    return _fill(op, tensor, generator, draw)


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: random.Generator | None = None) -> Any:
    """Draw from U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out)). Glorot and Bengio, AISTATS 2010."""
    std = _xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -math.sqrt(3) * std, math.sqrt(3) * std, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: random.Generator | None = None) -> Any:
    """Draw from N(0, gain^2 * 2 / (fan_in + fan_out)). Glorot and Bengio, AISTATS 2010."""
    return normal_(tensor, 0.0, _xavier_std("xavier_normal_", tensor, gain), generator)


def kaiming_uniform_(
    tensor: Any,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: random.Generator | None = None,
) -> Any:
    """Draw from U(-b, b), b = gain * sqrt(3 / fan). He et al., ICCV 2015. a: slope of leaky_relu."""
    std = _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -math.sqrt(3) * std, math.sqrt(3) * std, generator)


def kaiming_normal_(
    tensor: Any,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: random.Generator | None = None,
) -> Any:
    """Draw from N(0, gain^2 / fan). He et al., ICCV 2015. a: slope of leaky_relu."""
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Any, gain: float = 1.0, generator: random.Generator | None = None) -> Any:
    """Fill so that the rows (or columns, where there are fewer) of (shape[0], rest) are orthogonal.

    Saxe et al., ICLR 2014.
    """
    gain = _arrays.real("orthogonal_", "gain", gain)
    array = _array("orthogonal_", tensor)
    if array.ndim < 2:
        raise ValueError(f"orthogonal_: tensor must have at least 2 axes, got shape {array.shape}")

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        rows, columns = shape[0], math.prod(shape[1:])
        flat = rng.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(flat)
        q *= np.sign(np.diagonal(r))  # makes the decomposition unique, hence the result uniform
        return gain * (q.T if rows < columns else q).reshape(shape)

    return _fill("orthogonal_", tensor, generator, draw)


def eye_(tensor: Any) -> Any:
    """Fill a matrix with the identity: ones on its diagonal, zeros elsewhere."""
    array = _matrix("eye_", tensor)
    return _write(tensor, np.eye(*array.shape))


def dirac_(tensor: Any, groups: int = 1) -> Any:
    """Fill the weight (O, I, ...) of a convolution so that it hands on as many of its channels as it can.

    In each of `groups` groups of O / groups filters, filter d is 1 at channel d, in the middle of the window, and 0
    elsewhere. 1, 2 or 3 axes of the window.
    """
    array = _array("dirac_", tensor)
    groups = _arrays.integer("dirac_", "groups", groups, minimum=1)
    if array.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: tensor must have 3, 4 or 5 axes, got shape {tuple(array.shape)}")
    if array.shape[0] % groups:
        raise ValueError(f"dirac_: groups must divide the {array.shape[0]} filters of tensor, got {groups}")
    values, filters = np.zeros(array.shape), array.shape[0] // groups
    middle = tuple(extent // 2 for extent in array.shape[2:])
    if 0 not in array.shape:
        for i in range(min(filters, array.shape[1])):
            values[(slice(i, None, filters), i, *middle)] = 1
    return _write(tensor, values)


def sparse_(
    tensor: Any, sparsity: float, std: float = 0.01, generator: random.Generator | None = None
) -> Any:
    """Draw a matrix from N(0, std^2), and set ceil(sparsity * rows) elements of each column to 0; 0 <= sparsity <= 1.

    Martens, ICML 2010.
    """
    op = "sparse_"
    _matrix(op, tensor)
    sparsity = _arrays.real(op, "sparsity", sparsity, minimum=0.0, maximum=1.0)
    std = _arrays.real(op, "std", std, minimum=0.0)

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        values = rng.normal(0.0, std, shape)
        rows = rng.permuted(np.broadcast_to(np.arange(shape[0])[:, None], shape), axis=0)
        np.put_along_axis(values, rows[: math.ceil(sparsity * shape[0])], 0.0, axis=0)
        return values

    return _fill(op, tensor, generator, draw)


def fans(op: str, tensor: Any) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (O, I, ...): I and O times the receptive field."""
    shape = _array(op, tensor).shape
    if len(shape) < 2:
        raise ValueError(f"{op}: tensor must have at least 2 axes to have fans, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def _xavier_std(op: str, tensor: Any, gain: float) -> float:
    gain = _arrays.real(op, "gain", gain)
    return gain * math.sqrt(2.0 / max(1, sum(fans(op, tensor))))


def _kaiming_std(op: str, tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    _arrays.one_of(op, "mode", mode, ("fan_in", "fan_out"))
    fan = fans(op, tensor)[0 if mode == "fan_in" else 1]
    gain = calculate_gain(nonlinearity, a if nonlinearity == "leaky_relu" else None)
    return gain / math.sqrt(max(1, fan))


def _array(op: str, tensor: Any) -> Array:
    array = tensor.data if isinstance(tensor, Parameter) else tensor
    _arrays.require_floats(op, tensor=array)
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        raise ValueError(f"{op}: tensor must be writeable, got a read-only array")
    return array


def _matrix(op: str, tensor: Any) -> Array:
    array = _array(op, tensor)
    if array.ndim != 2:
        raise ValueError(f"{op}: tensor must have 2 axes, got shape {tuple(array.shape)}")
    return array


def _fill(op: str, tensor: Any, generator: random.Generator | None, draw: Any) -> Any:
    """Draw in float64 on the host, so that all dtypes and devices start from the same values."""
    array = _array(op, tensor)
    if generator is not None and not isinstance(generator, random.Generator):
        raise TypeError(
            f"{op}: generator must be a gpudl.random.Generator or None, got {type(generator).__name__}"
        )
    return _write(tensor, draw((generator or random.default_generator).numpy(), array.shape))


def _write(tensor: Any, values: np.ndarray) -> Any:
    array = tensor.data if isinstance(tensor, Parameter) else tensor
    with np.errstate(under="ignore"):  # of half precision, which rounds the smallest to zero
        values = values.astype(array.dtype)
    _arrays.write(array, _backend.move_beside(values, array))
    return tensor

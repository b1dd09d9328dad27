"""Problems that are counted in sizes or modes of their own, and those of operators that are not timed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import Contender
from gpudl.bench.problem import Inputs, Operator, Problem, Work, activations
from gpudl.ops import _arrays

SHAPE, PADDED = (16, 64, 16, 16), (16, 64, 20, 20)
SIZE = math.prod(SHAPE)
IMAGES = (32, 3, 32, 32)
PLACE = {"seed": 1, "stream": 2}

OPERATORS: dict[str, Operator] = {}
CONTENDERS: dict[str, Contender] = {}


def _add(family: str, function: Callable[..., Any], *problems: Problem) -> None:
    """problems : of one operator, which `function` does."""
    name = problems[0].operator
    OPERATORS[name] = Operator(name, family, lambda: iter(problems))
    CONTENDERS[name] = Contender(name, "gpudl", function, "array", False, ("cpu",), "")


def _floats(*names: str, shape: tuple[int, ...] = SHAPE) -> Callable[[np.random.Generator], Inputs]:
    return lambda rng: {name: activations(rng, *shape) for name in names}


# ---- moving elements


def _planes(rng: np.random.Generator) -> Inputs:
    return {"x": np.ascontiguousarray(activations(rng, *SHAPE))}


def _concat(a: Any, b: Any) -> Any:
    return ops.concat_forward([a, b])


def _concat_backward(dy: Any) -> Any:
    return ops.concat_backward(dy, [SHAPE[1] // 2] * 2)


def _pad_problem(direction: str, mode: str) -> Problem:
    """The gradient of zeros goes nowhere, so they need not be read."""
    inputs = _floats("x") if direction == "forward" else _floats("dy", shape=PADDED)
    inner = direction == "backward" and mode == "zeros"
    work = Work(values=SIZE + (SIZE if inner else math.prod(PADDED)))
    settings = {"padding": 2, "mode": mode}
    return Problem(f"pad2d_{direction}", f"{SHAPE}, padding 2, {mode}", inputs, work, settings)


_ONCE = Work(values=2 * SIZE)
_add("copies", _concat, Problem("concat_forward", f"2 of {SHAPE}", _floats("a", "b"), Work(values=4 * SIZE)))
_add("copies", _concat_backward, Problem("concat_backward", f"{SHAPE} in 2", _floats("dy"), _ONCE))
_add("copies", _arrays.channels_last, Problem("to_channels_last", str(SHAPE), _planes, _ONCE))
_add("copies", _arrays.contiguous, Problem("to_contiguous", str(SHAPE), _floats("x"), _ONCE))
for _direction in ("forward", "backward"):
    _add(
        "pad",
        getattr(ops, f"pad2d_{_direction}"),
        *(_pad_problem(_direction, mode) for mode in ("zeros", "reflect", "replicate", "circular")),
    )


# ---- noise and random numbers


def _random_problem(name: str) -> Problem:
    settings = {**PLACE, "start": 0, "count": SIZE}
    return Problem(name, f"({SIZE},)", _floats(), Work(bytes=4 * SIZE), settings, dtypes=("float32",))


_add("noise", ops.dropout2d_forward,
     Problem("dropout2d_forward", str(SHAPE), _floats("x"), _ONCE, {"p": 0.3, **PLACE}))  # fmt: skip
_add("noise", ops.gaussian_noise_forward,
     Problem("gaussian_noise_forward", str(SHAPE), _floats("x"), _ONCE, {"std": 0.1, **PLACE}))  # fmt: skip
for _name in ("philox_uint32", "philox_uniform", "philox_normal"):
    _add("philox", getattr(ops, _name), _random_problem(_name))


# ---- flat stores: what clipping and loss scaling do to the gradients of all parameters


def _flat_problem(name: str, arrays: int, **settings: float) -> Problem:
    return Problem(name, f"({SIZE},)", _floats("x", shape=(SIZE,)), Work(values=arrays * SIZE), settings)


_add("flat", ops.flat_norm, _flat_problem("flat_norm", 1))
_add("flat", ops.flat_has_nonfinite, _flat_problem("flat_has_nonfinite", 1))
_add("flat", ops.flat_scale, _flat_problem("flat_scale", 2, factor=0.5))
_add("flat", ops.flat_clamp, _flat_problem("flat_clamp", 2, limit=0.5))


# ---- normalisation by running statistics, and images


def _inference_backward(dy: Any, x: Any) -> Any:
    statistics = np.ones(x.shape[1], np.float32)
    return ops.batch_norm_inference_backward(dy, x, statistics, statistics)


def _images(rng: np.random.Generator) -> Inputs:
    N, C, H, W = IMAGES
    return {"x": rng.integers(0, 256, (N, H, W, C), np.uint8).transpose(0, 3, 1, 2)}


def _image_problem(name: str) -> Problem:
    return Problem(name, f"{IMAGES}, uint8", _images, Work(bytes=2 * math.prod(IMAGES)), dtypes=("float32",))


def _color(x: Any) -> Any:
    factors = np.linspace(0.5, 1.5, len(x))
    return ops.image_color(x, brightness=factors, contrast=factors, saturation=factors)


def _erase(x: Any) -> Any:
    return ops.image_erase(x, np.tile([4, 20, 8, 28], (len(x), 1)))


_add("batch_norm", _inference_backward,
     Problem("batch_norm_inference_backward", str(SHAPE), _floats("dy", "x"), Work(values=3 * SIZE)))  # fmt: skip
_add("transforms", _color, _image_problem("image_color"))
_add("transforms", _erase, _image_problem("image_erase"))

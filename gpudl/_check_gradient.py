"""Proof of a module's backward by central differences in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from gpudl import _backend, random
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class GradientError(RuntimeError):
    """A backward that does not agree with its forward."""


def check_gradient(
    module: Module,
    x: Array,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    samples: int | None = None,
) -> bool:
    """Compare `module.backward` with central differences of `module.forward`, in float64 on a copy.

    With random weights w, the derivatives of f = sum(w * module(x)) in the direction of single elements of x and
    of every parameter that requires a gradient,
        (f(e + eps) - f(e - eps)) / (2 eps),
    must be within atol + rtol * |derivative| of what backward gives. A second backward must add to `grad`, and
    return what the first did; none may write to dy, which others may need. Random layers draw the same numbers in
    every forward.

    Parameters
    ----------
    module : Module whose forward takes and returns one array. It is not changed, nor is its mode.
    x : array of any floating dtype.
    eps, atol, rtol : > 0, >= 0, >= 0; the defaults are those of torch.autograd.gradcheck, atol wider by 5 as
        large sums of w * y cost a digit.
    samples : how many elements of each array to move; all of them by default, at two forwards each.

    Returns True. Raises GradientError that names the worst element of every array that fails, ValueError or
    TypeError for bad arguments. Near a kink (ReLU at 0, a tie in max pooling) the two differ rightly.
    """
    if not isinstance(module, Module):
        raise TypeError(f"check_gradient: module must be a Module, got {type(module).__name__}")
    _arrays.require_floats("check_gradient", x=x)
    for name, value in (("eps", eps), ("atol", atol), ("rtol", rtol)):
        _arrays.real("check_gradient", name, value, minimum=0)
    if eps == 0:
        raise ValueError("check_gradient: eps must be above 0, got 0")
    if samples is not None:
        samples = _arrays.integer("check_gradient", "samples", samples, minimum=1)
    trial = _Trial(module, x)
    problems = []
    for name, array, gradient in trial.gradients():
        line = _disagreement(trial.value, array, gradient, eps, atol, rtol, samples)
        if line is not None:
            problems.append(f"{name}{line}")
    if problems:
        raise GradientError(f"check_gradient: {type(module).__name__}: " + "; ".join(problems))
    return True


class _Trial:
    """A float64 copy of the module that starts every forward from the same buffers and random streams."""

    def __init__(self, module: Module, x: Array):
        self.module = copy.deepcopy(module).to(dtype=np.float64)
        self.module.zero_grad()
        self.module.input_requires_grad = True
        self.x = x.astype(np.float64)
        self._buffers = [(owner, name, array.copy()) for owner, name, array in _buffers(self.module)]
        self._streams = random.default_generator.state_dict()
        y = self.forward()
        if not _backend.is_array(y):
            raise TypeError(f"check_gradient: module must return one array, got {type(y).__name__}")
        numbers = np.random.Generator(np.random.Philox(0)).standard_normal(y.shape)
        self.weights = _backend.move_beside(numbers, y)

    def forward(self) -> Array:
        for owner, name, array in self._buffers:
            setattr(owner, name, array.copy())
        before = random.default_generator.state_dict()
        random.default_generator.load_state_dict(self._streams)
        try:
            return self.module(self.x.copy())
        finally:
            random.default_generator.load_state_dict(before)

    def value(self) -> float:
        return float((self.forward() * self.weights).sum())

    def gradients(self) -> list[tuple[str, Array, Array]]:
        """(name, array to move, its gradient by backward) of x and of each trained parameter."""
        first_dx, first = self._backward()
        second_dx, second = self._backward()
        found = [("x", self.x, first_dx)]
        for name, parameter in self.module.named_parameters():
            if not parameter.requires_grad:
                continue
            gradient = first[name]
            if gradient is None or gradient.shape != parameter.shape:
                shape = None if gradient is None else gradient.shape
                raise GradientError(
                    f"check_gradient: {name}.grad must have shape {parameter.shape}, got {shape}"
                )
            if not _near(second[name], 2 * gradient):
                raise GradientError(f"check_gradient: a second backward must add to {name}.grad")
            found.append((name, parameter.data, gradient))
        if not _near(second_dx, first_dx):
            raise GradientError("check_gradient: a second forward and backward gave another dx")
        return found

    def _backward(self) -> tuple[Array, dict[str, Array | None]]:
        self.forward()
        dy = self.weights.copy()
        dx = self.module.backward(dy)
        if not bool((dy == self.weights).all()):
            raise GradientError("check_gradient: backward must not write to dy")
        if dx is None or dx.shape != self.x.shape:
            shape = None if dx is None else dx.shape
            raise GradientError(f"check_gradient: backward must return shape {self.x.shape}, got {shape}")
        grads = {
            name: None if p.grad is None else p.grad.copy() for name, p in self.module.named_parameters()
        }
        return dx.copy(), grads


def _buffers(module: Module) -> list[tuple[Module, str, Array]]:
    return [
        (owner, name, array)
        for owner in module.modules()
        for name, array in owner.named_buffers(recurse=False)
    ]


def _near(a: Array, b: Array) -> bool:
    return bool(((abs(a - b) <= 1e-12 * (1 + abs(b))) | ((a != a) & (b != b))).all())


def _disagreement(
    value: Callable[[], float],
    array: Array,
    gradient: Array,
    eps: float,
    atol: float,
    rtol: float,
    samples: int | None,
) -> str | None:
    """Text on the worst element that fails, or None."""
    indices = list(np.ndindex(array.shape))
    if samples is not None and samples < len(indices):
        chosen = np.random.Generator(np.random.Philox(0)).choice(len(indices), samples, replace=False)
        indices = [indices[i] for i in sorted(chosen)]
    failed: list[tuple[float, Any, float, float]] = []
    for index in indices:
        expected = _central_difference(value, array, index, eps)
        got = float(gradient[index])
        error, allowed = abs(got - expected), atol + rtol * abs(expected)
        if not error <= allowed:
            failed.append((error / allowed, index, got, expected))
    if not failed:
        return None
    worst = max(failed, key=lambda entry: np.inf if np.isnan(entry[0]) else entry[0])
    _, index, got, expected = worst
    return (
        f"{list(index)}: backward gives {got:.6g}, central differences {expected:.6g} "
        f"({len(failed)} of {len(indices)} elements fail)"
    )


def _central_difference(value: Callable[[], float], array: Array, index: Any, eps: float) -> float:
    kept = array[index].copy() if hasattr(array[index], "copy") else array[index]
    try:
        array[index] = kept + eps
        above = value()
        array[index] = kept - eps
        below = value()
    finally:
        array[index] = kept
    return (above - below) / (2 * eps)

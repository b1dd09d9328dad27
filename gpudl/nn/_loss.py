"""The base of the losses: two arguments, one value, the gradient of the first argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpudl._backend import Array
from gpudl._grad_mode import is_grad_enabled
from gpudl.nn.module import Module
from gpudl.ops import _arrays, _class_losses, _losses


class Loss(Module):
    """`value = criterion(prediction, target)`, then `dprediction = criterion.backward()`."""

    reductions = _losses.REDUCTIONS

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        _arrays.one_of(type(self).__name__, "reduction", reduction, self.reductions)
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class ElementwiseLoss(Loss):
    """A loss that is a sum over elements: two operators and the numbers they take."""

    operators: tuple[Callable[..., Array], Callable[..., Array]]

    def _numbers(self) -> dict[str, Any]:
        return {}

    def _extras(self) -> tuple[Array | None, ...]:
        """Arrays that go between target and the numbers."""
        return ()

    def forward(self, prediction: Array, target: Array) -> Array:  # type: ignore[override]
        """prediction, target : one shape and dtype. Returns (), or their shape with reduction="none"."""
        arguments = (prediction, target, *self._extras())
        value = self.operators[0](*arguments, **self._numbers(), reduction=self.reduction)
        self.save_for_backward(arguments)
        return value

    def backward(self, gradient: Array | None = None) -> Array:
        """gradient : that of the value; None for ones. Returns dprediction, shaped as prediction."""
        arguments = self.saved_for_backward()
        return self.operators[1](*arguments, gradient, **self._numbers(), reduction=self.reduction)


class ClassLoss(Loss):
    """A loss of class scores: one forward that also makes the gradient where it will be needed."""

    operators: tuple[Callable[..., Any], Callable[..., Array]]

    def __init__(self, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction)
        name = type(self).__name__
        if weight is not None:
            _arrays.require_floats(name, weight=weight)
            _arrays.require_ndim(name, "weight", weight, "(C,)")
        self.register_buffer("weight", weight)
        self.ignore_index = _arrays.integer(name, "ignore_index", ignore_index, minimum=-(1 << 63))

    def _numbers(self) -> dict[str, Any]:
        return {"ignore_index": self.ignore_index}

    def forward(self, prediction: Array, target: Array) -> Array:  # type: ignore[override]
        """prediction : (N, C), (N, C, d1, ...) or (C,). target : (N,), (N, d1, ...) or (). Returns the value."""
        needs_gradient = is_grad_enabled()
        result = self.operators[0](
            prediction, target, self.weight,
            **self._numbers(), reduction=self.reduction, needs_gradient=needs_gradient,
        )  # fmt: skip
        value, kept = result if needs_gradient else (result, None)
        self.save_for_backward(kept, prediction.shape)
        return value

    def backward(self, gradient: Array | None = None) -> Array:
        """gradient : that of the value; None for ones. Returns dprediction, shaped as prediction."""
        kept, shape = self.saved_for_backward()
        if gradient is not None:  # the operator does not know the reduction and takes both shapes
            value_shape = _class_losses.per_row(shape) if self.reduction == "none" else ()
            _losses.checked_gradient(type(self).__name__, gradient, kept[0], value_shape)
        return self.operators[1](kept, shape, gradient)

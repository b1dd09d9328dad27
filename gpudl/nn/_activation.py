"""The base of the activations: two operators, what backward needs, and results written into x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpudl._backend import Array
from gpudl._grad_mode import is_grad_enabled
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class Activation(Module):
    """y = f(x), element by element."""

    operators: tuple[Callable[..., Array], Callable[..., Array]]
    saves: str  # "x" or "y", what the second operator takes
    inplace = False

    def _numbers(self) -> dict[str, Any]:
        return {}

    def forward(self, x: Array) -> Array:
        """x : any shape. Returns y, shaped as x (x itself with inplace=True)."""
        saved = x
        if self.inplace and self.saves == "x" and is_grad_enabled():
            saved = _arrays.copied(x)
        y = self.operators[0](x, out=x if self.inplace else None, **self._numbers())
        self.save_for_backward(y if self.saves == "y" else saved)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        saved = self.saved_for_backward()
        return self.operators[1](dy, saved, **self._numbers()) if self.input_requires_grad else None

"""Softmax layers."""

from __future__ import annotations

from typing import ClassVar

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class _AlongAxis(Module):
    operator: ClassVar[str]

    def __init__(self, dim: int | None = None):
        super().__init__()
        name = type(self).__name__
        if dim is None:
            raise ValueError(f"{name}: dim must be an int, the axis to normalise (1 for classes), got None")
        self.dim = _arrays.integer(name, "dim", dim, minimum=-64)

    def forward(self, x: Array) -> Array:
        """x : any shape that has the axis. Returns y, shaped as x."""
        y = getattr(ops, f"{self.operator}_forward")(x, self.dim)
        self.save_for_backward(y)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        y = self.saved_for_backward()
        if not self.input_requires_grad:
            return None
        return getattr(ops, f"{self.operator}_backward")(dy, y, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """y = exp(x) / sum of exp(x) along `dim`, which has to be given. Follows torch.nn.Softmax."""

    operator = "softmax"


class LogSoftmax(_AlongAxis):
    """y = log(softmax(x)) along `dim`, which has to be given. Follows torch.nn.LogSoftmax."""

    operator = "log_softmax"

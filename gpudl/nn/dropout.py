"""Dropout layers, of elements and of channels."""

from __future__ import annotations

from gpudl import ops, random
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        name = type(self).__name__
        self.p = _arrays.real(name, "p", p, minimum=0, maximum=1)
        self.inplace = _arrays.boolean(name, "inplace", inplace)

    def _draw(self) -> dict[str, float] | None:
        """The numbers of this call: None where the layer does nothing."""
        if not self.training or self.p == 0:
            return None
        seed, stream = random.default_generator.next_stream()
        return {"p": self.p, "seed": seed, "stream": stream}

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """y = x * m / (1 - p) in training, m being 0 with probability p for each element, else 1; y = x in evaluation.

    p : the probability of dropping (not of keeping), in [0, 1].
    inplace : True writes y into x, which saves its memory; nobody else may need x.

    Every training forward takes the next stream of `gpudl.random.default_generator`, so a mask depends on
    `manual_seed` and the number of calls before; none is stored. Follows torch.nn.Dropout.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__(p, inplace)

    def forward(self, x: Array) -> Array:
        """x : any shape. Returns y, shaped as x (x itself in evaluation, with p = 0, or with inplace=True)."""
        numbers = self._draw()
        y = x if numbers is None else ops.dropout_forward(x, out=x if self.inplace else None, **numbers)
        self.save_for_backward(numbers)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx = dy * m / (1 - p), shaped as x."""
        numbers = self.saved_for_backward()
        if not self.input_requires_grad:
            return None
        return dy if numbers is None else ops.dropout_backward(dy, **numbers)


class Dropout2d(_Dropout):
    """Dropout of whole channels of each sample: y[n, c] = x[n, c] * m[n, c] / (1 - p) in training, else y = x.

    p : the probability of dropping (not of keeping), in [0, 1].
    inplace : True writes y into x, which saves its memory; nobody else may need x.

    Random numbers as in `Dropout`. Follows torch.nn.Dropout2d.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__(p, inplace)

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W) or (N, C, L). Returns y, shaped as x (x itself in evaluation, with p = 0, or in place)."""
        numbers = self._draw()
        y = x if numbers is None else ops.dropout2d_forward(x, out=x if self.inplace else None, **numbers)
        self.save_for_backward(numbers)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx = dy * m / (1 - p), shaped as x."""
        numbers = self.saved_for_backward()
        if not self.input_requires_grad:
            return None
        return dy if numbers is None else ops.dropout2d_backward(dy, **numbers)

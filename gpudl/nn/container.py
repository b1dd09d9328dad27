"""Compositions of layers: chains, residual blocks, parallel branches, lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gpudl import ops
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


def _require_modules(container: str, modules: Iterable[object]) -> None:
    for i, module in enumerate(modules):
        if not isinstance(module, Module):
            raise TypeError(f"{container}: argument {i} must be a Module, got {type(module).__name__}")


class _ModuleSequence(Module):
    """Modules by position; their names are "0", "1", ... as in PyTorch, or those of a dict."""

    def __init__(self, modules: Iterable[Module] | dict[str, Module]):
        super().__init__()
        named = modules if isinstance(modules, dict) else {str(i): m for i, m in enumerate(modules)}
        _require_modules(type(self).__name__, named.values())
        self._names = list(named)
        for name in named:
            if not isinstance(name, str) or not name or "." in name or hasattr(self, name):
                raise ValueError(f"{type(self).__name__}: {name!r} cannot be the name of a module")
        for name, module in named.items():
            setattr(self, name, module)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Module]:
        return (getattr(self, name) for name in self._names)

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return (
                type(self)(*self._of(index)) if isinstance(self, Sequential) else type(self)(self._of(index))
            )
        return getattr(self, self._names[index])

    def _of(self, index: slice) -> list[Module]:
        return [getattr(self, name) for name in self._names[index]]

    def __setitem__(self, index: int, module: Module) -> None:
        _require_modules(type(self).__name__, [module])
        setattr(self, self._names[index], module)

    def append(self, module: Module) -> _ModuleSequence:
        """Add a module at the end; returns self."""
        _require_modules(type(self).__name__, [module])
        name = str(len(self._names))
        if hasattr(self, name):
            raise ValueError(f"{type(self).__name__}: append would name the module {name!r}, which is taken")
        self._names.append(name)
        setattr(self, name, module)
        return self


class Sequential(_ModuleSequence):
    """Layers in a row: `Sequential(a, b, c)(x)` is c(b(a(x))). A dict names them."""

    def __init__(self, *modules: Module | dict[str, Module]):
        first = modules[0] if len(modules) == 1 else None
        super().__init__(first if isinstance(first, dict) else modules)  # type: ignore[arg-type]

    def forward(self, x: Array) -> Array:
        """Each layer on the result of the one before."""
        return chain_forward(self, x)

    def backward(self, dy: Array) -> Array | None:
        """Each layer's backward, last to first.

        With `input_requires_grad` False it stops at the first layer that trains and returns None.
        """
        return chain_backward(list(self), dy, self.input_requires_grad)


class ModuleList(_ModuleSequence):
    """A list of modules that are found by name; it cannot be called itself."""

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__([] if modules is None else list(modules))

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add several modules at the end; returns self."""
        modules = list(modules)  # which may be this list
        _require_modules("ModuleList", modules)
        for module in modules:
            self.append(module)
        return self


class Identity(Module):
    """y = x. Arguments are accepted and have no meaning, as in torch.nn.Identity."""

    def __init__(self, *arguments: object, **keywords: object):
        super().__init__()

    def forward(self, x: Array) -> Array:
        """Returns x itself."""
        return x

    def backward(self, dy: Array) -> Array:
        """Returns dy itself."""
        return dy


class Residual(Module):
    """y = branch(x) + shortcut(x). He et al., CVPR 2016.

    branch : Module. shortcut : Module, or None for the identity.
    """

    def __init__(self, branch: Module, shortcut: Module | None = None):
        super().__init__()
        _require_modules("Residual", [branch, *([] if shortcut is None else [shortcut])])
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x: Array) -> Array:
        """x : whatever both branches take; their results must have one shape and dtype."""
        y = self.branch(x)
        side = x if self.shortcut is None else self.shortcut(x)
        if y.shape != side.shape:
            raise ValueError(f"Residual: branch gave shape {y.shape}, shortcut {side.shape}")
        return ops.add_forward(y, side)

    def backward(self, dy: Array) -> Array | None:
        """The sum of both branches' input gradients."""
        dx = backward_through(self.branch, dy, self.input_requires_grad)
        if self.shortcut is None:
            return ops.add_forward(dx, dy) if self.input_requires_grad else None
        side = backward_through(self.shortcut, dy, self.input_requires_grad)
        return ops.add_forward(dx, side) if self.input_requires_grad else None


class Concat(Module):
    """Branches side by side, their results joined along an axis (the channels by default).

    branches : Modules that take the same x. axis : int.
    """

    def __init__(self, *branches: Module, axis: int = 1):
        super().__init__()
        if not branches:
            raise ValueError("Concat: expected at least one branch, got none")
        _require_modules("Concat", branches)
        self.branches = ModuleList(branches)
        self.axis = _arrays.integer("Concat", "axis", axis, minimum=-8)

    def forward(self, x: Array) -> Array:
        """x : whatever the branches take. Returns their results joined along `axis`."""
        results = [branch(x) for branch in self.branches]
        y = ops.concat_forward(results, self.axis)
        self.save_for_backward([result.shape[self.axis] for result in results])
        return y

    def backward(self, dy: Array) -> Array | None:
        """The sum of the branches' input gradients, each on its piece of dy."""
        pieces = ops.concat_backward(dy, self.saved_for_backward(), self.axis)
        dx = None
        for branch, piece in zip(self.branches, pieces, strict=True):
            side = backward_through(branch, piece, self.input_requires_grad)
            if self.input_requires_grad:  # else some branches give None, and others dy itself
                dx = side if dx is None else ops.add_forward(dx, side)
        return dx


def chain_forward(layers: Iterable[Module], x: Array) -> Array:
    """Each layer on the result of the one before."""
    for layer in layers:
        x = layer(x)
    return x


def chain_backward(layers: Sequence[Module], dy: Array, input_requires_grad: bool) -> Array | None:
    """Each layer's backward, last to first; without `input_requires_grad` only down to the first that trains."""
    first = 0 if input_requires_grad else _first_trainable(layers)
    for i in range(len(layers) - 1, first - 1, -1):
        dy = backward_through(layers[i], dy, input_requires_grad or i > first)
    return dy if input_requires_grad else None


def backward_through(module: Module, dy: Array, input_requires_grad: bool) -> Array | None:
    """The module's backward with this `input_requires_grad`; its own, for calls of it alone, comes back."""
    before = module.input_requires_grad
    module.input_requires_grad = input_requires_grad
    try:
        return module.backward(dy)
    finally:
        module.input_requires_grad = before


def _first_trainable(layers: Sequence[Module]) -> int:
    for i, layer in enumerate(layers):
        if any(parameter.requires_grad for parameter in layer.parameters()):
            return i
    return len(layers)

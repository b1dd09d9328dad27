"""The base of all layers: parameters, buffers, mode, state dictionaries, and what backward needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpudl import _backend
from gpudl._backend import Array
from gpudl._grad_mode import is_grad_enabled
from gpudl.nn.parameter import Parameter
from gpudl.ops import _arrays

if TYPE_CHECKING:
    from gpudl.nn._summary import Summary


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left out."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A layer or a composition of layers.

    A subclass writes `forward(x)` and `backward(dy)`: forward calls `self.save_for_backward(...)`, backward
    takes that with `self.saved_for_backward()`, accumulates into `parameter.grad` and returns dx.
    Parameters, buffers (`register_buffer`) and submodules assigned as attributes are found by name.
    `gpudl.check_gradient(module, x)` proves a backward.
    """

    training = True
    # Containers clear it on the layer that sees the data: its backward may then return None and save the work.
    input_requires_grad = True

    def __init__(self) -> None:
        self.training = True
        self._buffers: dict[str, Array | None] = {}
        self._saved: tuple[Any, ...] | None = None

    # ---- calls

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.forward(*arguments, **keywords)

    def forward(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, dy: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def save_for_backward(self, *values: Any) -> None:
        """Keep what backward needs of this call, in place of what an earlier call kept."""
        self._saved = values if is_grad_enabled() else None

    def saved_for_backward(self) -> Any:
        """What the last forward kept, once: the value, or a tuple where there were several."""
        if self._saved is None:
            raise RuntimeError(
                f"{type(self).__name__}: backward without a forward before it (each forward allows one "
                "backward, and a forward under no_grad() none)"
            )
        values, self._saved = self._saved, None
        return values[0] if len(values) == 1 else values

    # ---- structure

    def register_buffer(self, name: str, array: Array | None) -> None:
        """Make `array` part of the state that is saved but not trained; None for a buffer that is absent so far."""
        op = f"{type(self).__name__}.register_buffer"
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{op}: name must be text without dots, got {name!r}")
        if hasattr(self, name) and name not in self._buffers:
            raise ValueError(f"{op}: there is an attribute {name!r} already")
        if array is not None:
            _arrays.require_arrays(op, array=array)
        self._buffers[name] = array
        object.__setattr__(self, name, array)

    def __setattr__(self, name: str, value: Any) -> None:
        buffers = self.__dict__.get("_buffers")
        if buffers is None and isinstance(value, Parameter | Module):
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before parameters and modules are assigned"
            )
        if isinstance(self.__dict__.get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}: {name} must be a Parameter or None, got {type(value).__name__}; "
                f"new values go to {name}.data"
            )
        if buffers is not None and name in buffers:
            if value is not None and not _backend.is_array(value):
                raise TypeError(
                    f"{type(self).__name__}: buffer {name} must be an array or None, got {type(value).__name__}"
                )
            buffers[name] = value
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._buffers.pop(name, None)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Submodules assigned as attributes, in order of assignment."""
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator[Module]:
        for _, child in self.named_children():
            yield child

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, depth first, each once: ("", self), ("0", ...), ("0.conv", ...)."""
        yield from self._named_modules(prefix, set())

    def _named_modules(self, prefix: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child._named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        for _, module in self.named_modules():
            yield module

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter), in PyTorch's order; a parameter that is shared comes once."""
        seen: set[int] = set()
        for name, value in self._named_state(prefix, recurse):
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Array]]:
        """(name, array) of running statistics and the like, in PyTorch's order; one that is shared comes once."""
        seen: set[int] = set()
        for name, value in self._named_state(prefix, recurse):
            if not isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def buffers(self, recurse: bool = True) -> Iterator[Array]:
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_state(self, prefix: str, recurse: bool) -> Iterator[tuple[str, Parameter | Array]]:
        """Parameters, then buffers, of each module; a module that is shared appears under each of its names."""
        for name, value in self.__dict__.items():
            if isinstance(value, Parameter):
                yield _join(prefix, name), value
        for name, buffer in self._buffers.items():
            if buffer is not None:
                yield _join(prefix, name), buffer
        if recurse:
            for name, child in self.named_children():
                yield from child._named_state(_join(prefix, name), recurse)

    def apply(self, function: Callable[[Module], object]) -> Module:
        """Call `function` on every module below, children first, then on this one; returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ---- mode

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout and batch statistics act) here and below; returns self."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be a bool, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Set evaluation mode; the same as train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze (False) or unfreeze all parameters; returns self.

        As in PyTorch a frozen batch norm still updates its running statistics until it is put in eval().
        """
        requires_grad = _arrays.boolean("requires_grad_", "requires_grad", requires_grad)
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (or zero them)."""
        for parameter in self.parameters():
            parameter.zero_grad(set_to_none)

    # ---- device and dtype

    def to(self, *targets: Any, device: str | None = None, dtype: Any = None) -> Module:
        """Move and convert parameters and floating buffers, in place; returns self.

        targets : a device ("cpu", "simt", "cuda"), a floating dtype, or both; or by keyword.
        Raises ValueError or TypeError for anything else, before anything has changed.
        """
        for target in targets:
            if isinstance(target, str) and target in _backend.BACKENDS:
                _require_once("device", device, target)
                device = target
            else:
                _require_once("dtype", dtype, target)
                dtype = target
        if device is not None:
            _backend.require_backend("to: device", device)
        wanted = None if dtype is None else _arrays.float_dtype("to", dtype)
        for parameter in self.parameters():
            parameter.require_convertible(device, wanted)

        def convert(array: Array, wanted: np.dtype | None) -> Array:
            if wanted is not None and array.dtype in _arrays.FLOAT_DTYPES and array.dtype != wanted:
                array = _arrays.converted(array, wanted)
            return array if device is None else _backend.move(array, device)

        for parameter in self.parameters():
            converted = convert(parameter.data, wanted)
            if converted is not parameter.data:
                parameter.data = converted
        for module in self.modules():
            of_buffers = None if wanted is None else module.buffer_dtype(wanted)
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, convert(buffer, of_buffers))
        return self

    def buffer_dtype(self, dtype: np.dtype) -> np.dtype:
        """What floating buffers become in `to(dtype)`; a layer that keeps them in more precision overrides it."""
        return dtype

    # ---- state

    def state_dict(self, prefix: str = "") -> dict[str, Array]:
        """All parameters and buffers by name: PyTorch's names, order and shapes. Arrays are not copied."""
        return {
            name: value.data if isinstance(value, Parameter) else value
            for name, value in self._named_state(prefix, True)
        }

    def load_state_dict(self, state: dict[str, Array], strict: bool = True) -> IncompatibleKeys:
        """Copy `state` into parameters and buffers; dtypes are converted, shapes must agree.

        state : arrays (or PyTorch's tensors) by name. With strict=True every name must be there and none besides. All
        missing, unexpected, misshapen, non-numeric and read-only ones are listed in one ValueError, and nothing has
        changed then. Missing and unexpected ones need strict=True to raise.
        """
        op = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, Mapping):
            raise TypeError(f"{op}: state must be a dict of arrays, got {type(state).__name__}")
        _arrays.boolean(op, "strict", strict)
        own = Module.state_dict(self)
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        given = {name: _backend.as_array(value) for name, value in state.items() if name in own}
        problems = [
            f"misshapen {name}: expected {own[name].shape}, got {array.shape}"
            for name, array in given.items()
            if own[name].shape != array.shape
        ]
        problems += [
            f"non-numeric {name}: {array.dtype}"
            for name, array in given.items()
            if not _arrays.is_real(array.dtype)
        ]
        problems += [f"read-only {name}" for name in given if not _is_writeable(own[name])]
        if strict:
            problems += [f"missing {name}" for name in missing]
            problems += [f"unexpected {name}" for name in unexpected]
        if problems:
            raise ValueError(f"{op}: " + "; ".join(problems))
        for name, array in given.items():
            target = own[name]
            _arrays.write(target, _backend.move_beside(_arrays.converted(array, target.dtype), target))
        return IncompatibleKeys(missing, unexpected)

    # ---- text

    def forward_flops(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """Floating-point operations of one forward, two for each multiply-add of a product; 0 for other layers."""
        return 0

    def summary(self, input_shape: tuple[int, ...]) -> Summary:
        """What each layer puts out and holds, for an input of `input_shape`, batch dimension included.

        Runs one forward on zeros in evaluation mode, without keeping anything. print() the result for a table of
        output shapes, parameters, FLOPs and bytes; its rows and totals can be read too.
        """
        from gpudl.nn._summary import summarize

        return summarize(self, input_shape)

    def extra_repr(self) -> str:
        """The layer's own arguments, for print(model)."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}({self.extra_repr()}", *lines, ")"])


def _require_once(name: str, before: Any, target: Any) -> None:
    if before is not None:
        raise ValueError(f"to: expected one {name}, got {before!r} and {target!r}")


def _is_writeable(array: Array) -> bool:
    return not isinstance(array, np.ndarray) or array.flags.writeable


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name

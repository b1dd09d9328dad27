"""A trainable array and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gpudl import _backend
from gpudl._backend import Array
from gpudl.ops import _arrays
from gpudl.ops.add import add_forward


class Slot(Protocol):
    """The place of one parameter in an optimizer's flat store: views that share its memory."""

    data: Array
    grad: Array


class Parameter:
    """A trainable array: `data`, and `grad`, which is None until a backward has run.

    data : float16, bfloat16, float32 or float64 array, NumPy or CuPy; kept, not copied.
    requires_grad : False freezes it: layers skip its gradient and optimizers skip it.

    Once an optimizer has taken the parameter, `data` and `grad` are views of the optimizer's flat store, and
    assigning to them writes through.
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_slot", "requires_grad")

    def __init__(self, data: Array, requires_grad: bool = True):
        _arrays.require_floats("Parameter", data=data)
        self._data = data
        self._grad: Array | None = None
        self._slot: Slot | None = None
        self.requires_grad = _arrays.boolean("Parameter", "requires_grad", requires_grad)

    @property
    def data(self) -> Array:
        return self._data

    @data.setter
    def data(self, value: Array) -> None:
        _arrays.require_floats("Parameter", data=value)
        if value.shape != self._data.shape:
            raise ValueError(f"Parameter: data must have shape {self._data.shape}, got {value.shape}")
        if self._slot is None:
            if self._grad is not None and (value.dtype != self._grad.dtype or _moved(value, self._grad)):
                self._grad = None
            self._data = value
            return
        self.require_convertible("cuda" if _backend.is_cupy(value) else "cpu", value.dtype)
        _arrays.write(self._slot.data, value)

    @property
    def grad(self) -> Array | None:
        return self._grad

    @grad.setter
    def grad(self, value: Array | None) -> None:
        if value is None:
            self._grad = None
            return
        self._check_gradient(value)
        if self._slot is None:
            self._grad = value
        else:
            _arrays.assign(self._slot.grad, value)
            self._grad = self._slot.grad

    def accumulate_grad(self, gradient: Array) -> None:
        """Add `gradient` to `grad`. The array is kept when it is the first, so the caller must own it."""
        if self._grad is None:
            self.grad = gradient
            return
        self._check_gradient(gradient)
        add_forward(self._grad, gradient, out=self._grad)

    def accumulate(self, backward: Callable[..., Array], *arguments: Any, **numbers: Any) -> None:
        """Add what an operator gives to `grad`; the first is written to its place in an optimizer's store."""
        if self._grad is None and self._slot is not None:
            self._grad = backward(*arguments, **numbers, out=self._slot.grad)
        else:
            self.accumulate_grad(backward(*arguments, **numbers))

    def require_convertible(self, device: str | None, dtype: _arrays.np.dtype | None) -> None:
        """Raise ValueError where an optimizer holds this parameter and it would change its dtype or device."""
        moves = device is not None and (device == "cuda") != _backend.is_cupy(self._data)
        converts = dtype is not None and dtype != self._data.dtype
        if self._slot is not None and (moves or converts):
            raise ValueError(
                "Parameter: an optimizer holds this parameter, so its dtype and device are fixed "
                f"({self._data.dtype}); convert the model before making the optimizer"
            )

    def bind(self, slot: Slot) -> None:
        """Move data and gradient into an optimizer's store; later writes go there."""
        _arrays.assign(slot.data, self._data)
        if self._grad is not None:
            _arrays.assign(slot.grad, self._grad)
            self._grad = slot.grad
        self._data = slot.data
        self._slot = slot

    def __deepcopy__(self, memo: dict[int, object]) -> Parameter:
        """A parameter of its own, held by no optimizer; `copy.deepcopy(model)` comes here."""
        other = Parameter(_arrays.copied(self._data), self.requires_grad)
        if self._grad is not None:
            other._grad = _arrays.copied(self._grad)
        memo[id(self)] = other
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """The same for `pickle`."""
        return _remade, (self._data, self._grad, self.requires_grad)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient, or with set_to_none=False fill it with zeros where there is one."""
        if set_to_none:
            self._grad = None
        elif self._grad is not None:
            _arrays.write(self._grad, 0)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> _arrays.np.dtype:
        return self._data.dtype

    @property
    def size(self) -> int:
        return self._data.size

    def _check_gradient(self, value: Array) -> None:
        _arrays.require_floats("Parameter", data=self._data, grad=value)
        _arrays.require_shape("Parameter", "grad", value, self._data.shape, "that of data")

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else ", frozen"
        return f"Parameter{self.shape} {self.dtype}{frozen}"


def _remade(data: Array, grad: Array | None, requires_grad: bool) -> Parameter:
    """A parameter out of a pickle."""
    parameter = Parameter(data, requires_grad)
    parameter.grad = grad
    return parameter


def _moved(a: Array, b: Array) -> bool:
    return _backend.is_cupy(a) != _backend.is_cupy(b)

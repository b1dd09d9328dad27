"""Who is measured: functions registered for an operator, ours and anybody's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

KINDS = ("array", "torch")
DEVICES = ("cpu", "cuda")
MATHS = ("tf32",)


class UnsupportedError(Exception):
    """Raised by a contender that has no way of doing a problem; its row says why."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a contender that prepares returns.

    call : does the operation once, and returns its results.
    verify : called once, before anything is timed, for the results that are compared, where these are more than those
        of one call. None: `call`.
    detail : what the reader should know of this row, such as the name of cuDNN's plan.
    """

    call: Callable[[], Any]
    detail: str = ""
    verify: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        if not callable(self.call):
            raise TypeError(
                f"a contender that prepares must return the call to time, got {type(self.call).__name__}"
            )
        if not isinstance(self.detail, str):
            raise TypeError(f"Prepared: detail must be a string, got {self.detail!r}")
        if self.verify is not None and not callable(self.verify):
            raise TypeError(f"Prepared: verify must be None or a function, got {self.verify!r}")

    def results(self) -> Any:
        """Those that are compared."""
        return self.call() if self.verify is None else self.verify()


@dataclasses.dataclass(frozen=True)
class Contender:
    operator: str
    name: str
    function: Callable[..., Any]
    arrays: str
    prepares: bool
    devices: tuple[str, ...]
    difference: str
    math: str | None = None

    def takes(self, device: str, dtype: str) -> bool:
        return device in self.devices and (self.math is None or dtype == "float32")

    def prepare(self, inputs: dict[str, Any], settings: dict[str, Any]) -> Prepared:
        """The call to time, on these arrays."""
        if not self.prepares:
            return Prepared(lambda: self.function(**inputs, **settings))
        prepared = self.function(**inputs, **settings)
        return prepared if isinstance(prepared, Prepared) else Prepared(prepared)


CONTENDERS: dict[str, dict[str, Contender]] = {}


def contender(
    operator: str,
    *,
    name: str,
    arrays: str = "array",
    prepares: bool = False,
    devices: tuple[str, ...] = DEVICES,
    difference: str = "",
    math: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function for an operator: it is verified, timed and reported like gpudl's own.

        @bench.contender("conv2d_forward", name="mine")
        def mine(x, weight, bias, *, stride, padding, dilation, groups):
            return my_convolution(x, weight, bias, stride, padding)

    Parameters
    ----------
    operator : its name, as `gpudl bench --list` prints it with the arguments of its contenders.
    name : the contender's, unique for the operator.
    arrays : what the function is given. "array": NumPy arrays on the CPU, CuPy arrays on a GPU. "torch": tensors there.
    prepares : True where the function makes ready (compiles, plans, allocates) and returns the call to time, or a
        `Prepared` with a remark for the row. Only that call is timed.
    devices : where it runs, of "cpu" and "cuda".
    difference : what sets it apart in dtype, layout, math mode, workspace or determinism; printed in its rows.
    math : "tf32" for one that multiplies float32 in TF32: it takes float32 problems only, and its tolerance and its
        ceiling are those of TF32.

    The function raises `bench.UnsupportedError` for a problem that it cannot do. Its result is an array, or a tuple of
    them.
    """
    if not isinstance(operator, str) or not isinstance(name, str) or not name:
        raise TypeError(f"contender: operator and name must be strings, got {operator!r} and {name!r}")
    if arrays not in KINDS:
        raise ValueError(f"contender {name!r}: arrays must be one of {', '.join(KINDS)}, got {arrays!r}")
    if not isinstance(prepares, bool):
        raise TypeError(f"contender {name!r}: prepares must be True or False, got {prepares!r}")
    devices = (devices,) if isinstance(devices, str) else tuple(devices)
    if not devices or set(devices) - set(DEVICES):
        raise ValueError(f"contender {name!r}: devices must be of {', '.join(DEVICES)}, got {devices!r}")
    if not isinstance(difference, str):
        raise TypeError(f"contender {name!r}: difference must be a string, got {difference!r}")
    if math is not None and math not in MATHS:
        raise ValueError(f"contender {name!r}: math must be None or one of {', '.join(MATHS)}, got {math!r}")

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function):
            raise TypeError(f"contender {name!r}: expected a function, got {function!r}")
        others = CONTENDERS.setdefault(operator, {})
        if name in others:
            raise ValueError(f"contender: {operator} has a contender {name!r} already")
        others[name] = Contender(operator, name, function, arrays, prepares, devices, difference, math)
        return function

    return register

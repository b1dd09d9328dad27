"""When a watched number is the best so far."""

from __future__ import annotations

import math

from gpudl.ops import _arrays

_SMALLER_IS_BETTER = ("loss", "error")


class Best:
    """The best value of a metric. mode : "min", "max", or "auto": "min" for names that end in loss or error."""

    def __init__(self, what: str, monitor: str, mode: str, min_delta: float = 0.0):
        if not isinstance(monitor, str):
            raise TypeError(f"{what}: monitor must be text, got {type(monitor).__name__}")
        _arrays.one_of(what, "mode", mode, ("auto", "min", "max"))
        smaller = monitor.endswith(_SMALLER_IS_BETTER) if mode == "auto" else mode == "min"
        self._sign = 1.0 if smaller else -1.0
        self._min_delta = _arrays.real(what, "min_delta", min_delta, minimum=0)
        self.value: float | None = None

    def is_better(self, value: float) -> bool:
        """Whether `value` beats the best by more than min_delta; NaN never does."""
        if math.isnan(value):
            return False
        return self.value is None or self._sign * value < self._sign * self.value - self._min_delta

"""The schedule that looks at a metric."""

from __future__ import annotations

import math
from typing import Any

from gpudl.ops import _arrays
from gpudl.optim.lr_scheduler.base import per_group
from gpudl.optim.optimizer import Optimizer


class ReduceLROnPlateau:
    """lr *= factor when a metric has not improved for more than `patience` steps.

    mode : "min" or "max". factor : below 1. threshold, threshold_mode : an improvement is below best * (1 - threshold)
    ("rel") or best - threshold ("abs"), above for "max". cooldown : steps after a cut in which none count.
    min_lr : a number, or one for each group. eps : a smaller change of lr is left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0,
        eps: float = 1e-8,
    ):
        op = "ReduceLROnPlateau"
        _arrays.one_of(op, "mode", mode, ("min", "max"))
        _arrays.one_of(op, "threshold_mode", threshold_mode, ("rel", "abs"))
        if _arrays.real(op, "factor", factor, minimum=0) >= 1:
            raise ValueError(f"{op}: factor must be below 1, got {factor}")
        self.optimizer = optimizer
        self.mode, self.threshold_mode, self.factor = mode, threshold_mode, factor
        self.patience = _arrays.integer(op, "patience", patience, minimum=0)
        self.threshold = _arrays.real(op, "threshold", threshold, minimum=0)
        self.cooldown = _arrays.integer(op, "cooldown", cooldown, minimum=0)
        self.min_lr = min_lr
        self._lowest()
        self.eps = _arrays.real(op, "eps", eps, minimum=0)
        self.best = self._no_best
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def step(self, metrics: float) -> None:
        """Count one value of the metric.

        Raises ValueError where min_lr has a number for each group and the optimizer has got another number of groups,
        before anything has changed.
        """
        try:
            value = float(metrics)
        except (TypeError, ValueError) as error:
            raise TypeError(f"ReduceLROnPlateau.step: metrics must be a number, got {metrics!r}") from error
        lowest = self._lowest()
        self.last_epoch += 1
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce(lowest)
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    @property
    def _no_best(self) -> float:
        return math.inf if self.mode == "min" else -math.inf

    def is_better(self, value: float) -> bool:
        """Whether `value` is an improvement over the best; NaN never is."""
        sign = 1 if self.mode == "min" else -1
        if math.isinf(self.best):
            return sign * value < sign * self.best
        if self.threshold_mode == "rel":
            return sign * value < sign * (self.best * (1 - sign * self.threshold))
        return sign * value < sign * self.best - self.threshold

    def _lowest(self) -> list[float]:
        """The smallest learning rate of each group, those that were added later too."""
        return per_group("ReduceLROnPlateau", "min_lr", self.min_lr, len(self.optimizer.param_groups))

    def _reduce(self, lowest: list[float]) -> None:
        for group, least in zip(self.optimizer.param_groups, lowest, strict=True):
            lr = max(group["lr"] * self.factor, least)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    _COUNTERS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers; best is None before the first metric. Learning rates are the optimizer's."""
        state = {name: getattr(self, name) for name in self._COUNTERS}
        return state | {"best": None if self.best == self._no_best else self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the schedule that gave `state` was.

        Raises ValueError or TypeError for what does not fit, before anything has changed.
        """
        op = "ReduceLROnPlateau.load_state_dict"
        if not isinstance(state, dict):
            raise ValueError(f"{op}: state must be a dict, got {type(state).__name__}")
        missing = sorted(set(self._COUNTERS) - set(state))
        if missing:
            raise ValueError(f"{op}: state lacks {', '.join(missing)}")
        best = self._no_best if state["best"] is None else _arrays.extended_real(op, "best", state["best"])
        counts = [_arrays.integer(op, name, state[name], minimum=0) for name in self._COUNTERS[1:]]
        self.best = best
        self.num_bad_epochs, self.cooldown_counter, self.last_epoch = counts

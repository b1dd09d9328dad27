"""One cycle up and down, of the learning rate and of the momentum."""

from __future__ import annotations

import math
from typing import Any

from gpudl.ops import _arrays
from gpudl.optim.lr_scheduler.base import LRScheduler, per_group
from gpudl.optim.optimizer import Optimizer


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to that / final_div_factor, over total_steps steps.

    max_lr : a number, or one for each group. total_steps : or epochs and steps_per_epoch.
    pct_start : share of the steps that rise. anneal_strategy : "cos" or "linear".
    cycle_momentum : momentum (or beta1 of Adam) goes from max_momentum to base_momentum and back.
    three_phase : falls to the initial rate first, as long as it rose, then to the final one.
    Smith and Topin, 2018. t = total_steps keeps the final rate; a step after it is a ValueError.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        op, count = "OneCycleLR", len(optimizer.param_groups)
        self.total_steps = _total_steps(op, total_steps, epochs, steps_per_epoch)
        self.pct_start = _arrays.real(op, "pct_start", pct_start, minimum=0, maximum=1)
        _arrays.one_of(op, "anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.anneal_strategy = anneal_strategy
        _arrays.one_of(op, "three_phase", three_phase, (False, True))
        self.three_phase = three_phase
        self.max_lrs = per_group(op, "max_lr", max_lr, count)
        self.div_factor = _positive(op, "div_factor", div_factor)
        self.final_div_factor = _positive(op, "final_div_factor", final_div_factor)
        _arrays.one_of(op, "cycle_momentum", cycle_momentum, (False, True))
        self.cycle_momentum = cycle_momentum
        if cycle_momentum and not all("momentum" in g or "betas" in g for g in optimizer.param_groups):
            raise ValueError(f"{op}: cycle_momentum needs an optimizer with momentum or betas")
        self.base_momenta = per_group(op, "base_momentum", base_momentum, count)
        self.max_momenta = per_group(op, "max_momentum", max_momentum, count)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, self.max_lrs, strict=True):
                group["initial_lr"] = top / self.div_factor
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        top, low = self.max_lrs[group], self.max_lrs[group] / self.div_factor
        final = low / self.final_div_factor
        return self._value(t, [low, top, low, final] if self.three_phase else [low, top, final])

    def _require_step(self, t: float) -> None:
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: t must be at most total_steps {self.total_steps}, got {t}")

    def _apply(self, t: float) -> None:
        super()._apply(t)
        if not self.cycle_momentum:
            return
        bounds = zip(self.optimizer.param_groups, self.base_momenta, self.max_momenta, strict=True)
        for group, low, top in bounds:
            value = self._value(t, [top, low, top, top] if self.three_phase else [top, low, top])
            if "betas" in group:
                group["betas"] = (value, group["betas"][1])
            else:
                group["momentum"] = value

    def _value(self, t: float, levels: list[float]) -> float:
        """Between the levels, which are reached at the ends of the phases."""
        rise = self.pct_start * self.total_steps - 1
        ends = [rise, 2 * rise, self.total_steps - 1] if self.three_phase else [rise, self.total_steps - 1]
        start = 0.0
        for i, end in enumerate(ends):
            if t <= end or i == len(ends) - 1:
                share = min((t - start) / (end - start), 1.0) if end != start else 1.0
                return self._anneal(levels[i], levels[i + 1], share)
            start = end
        raise AssertionError("a phase was not found")

    def _anneal(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def _positive(op: str, name: str, value: Any) -> float:
    if _arrays.real(op, name, value, minimum=0) == 0:
        raise ValueError(f"{op}: {name} must be above 0, got 0")
    return float(value)


def _total_steps(op: str, total: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total is not None:
        return _arrays.integer(op, "total_steps", total, minimum=1)
    if epochs is None or steps_per_epoch is None:
        raise ValueError(f"{op}: expected total_steps, or epochs and steps_per_epoch")
    return _arrays.integer(op, "epochs", epochs, minimum=1) * _arrays.integer(
        op, "steps_per_epoch", steps_per_epoch, minimum=1
    )

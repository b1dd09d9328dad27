"""Learning-rate schedules, each a closed formula of the step. Names and arguments are PyTorch's."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any

from gpudl.ops import _arrays
from gpudl.optim.optimizer import Optimizer


class LRScheduler:
    """Sets `param_groups[i]["lr"]` to a formula of lr0, the group's lr when the schedule was made, and t.

    t is 0 at first and grows by one with each `step()`, per epoch or per batch as the caller likes.
    last_epoch : t of the last step of a run that is continued; -1 to start. The groups then need "initial_lr".
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        op = type(self).__name__
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(f"{op}: optimizer must be an Optimizer, got {type(optimizer).__name__}")
        last_epoch = _arrays.integer(op, "last_epoch", last_epoch, minimum=-1)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(f"{op}: last_epoch {last_epoch} needs 'initial_lr' in group {i}")
        self.optimizer = optimizer
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch: float = last_epoch
        self.step()

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        """The learning rate of a group at step t."""
        raise NotImplementedError

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next t, or to t = epoch (fractions allowed where the formula has them).

        Raises ValueError where the optimizer has got another number of groups, before anything has changed.
        """
        op = type(self).__name__
        t = self.last_epoch + 1 if epoch is None else _arrays.real(op, "epoch", epoch, minimum=0)
        if len(self.optimizer.param_groups) != len(self.base_lrs):
            raise ValueError(
                f"{op}: the optimizer has {len(self.optimizer.param_groups)} groups, {len(self.base_lrs)} when the "
                f"schedule was made; give the new ones 'initial_lr' and make a schedule with "
                f"last_epoch={self.last_epoch}"
            )
        self._require_step(t)
        self.last_epoch = t
        self._apply(t)

    def _require_step(self, t: float) -> None:
        """Raise ValueError for a t that the formula does not have."""

    def _apply(self, t: float) -> None:
        for i, (group, base) in enumerate(zip(self.optimizer.param_groups, self.base_lrs, strict=True)):
            group["lr"] = self.lr_at(t, base, i)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers: where the schedule is, and the learning rates it started from."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the schedule that gave `state` was (PyTorch's has these keys too), and set its rates.

        Raises ValueError or TypeError for what does not fit, before anything has changed.
        """
        self._take(self._checked_state(state))

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        op = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict) or not {"last_epoch", "base_lrs"} <= set(state):
            got = sorted(state) if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"{op}: state must have the keys 'last_epoch' and 'base_lrs', got {got}")
        if len(state["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"{op}: base_lrs must have {len(self.base_lrs)} numbers, got {len(state['base_lrs'])}"
            )
        t = _arrays.real(op, "last_epoch", state["last_epoch"], minimum=0)
        base_lrs = [_arrays.real(op, "base_lrs", base) for base in state["base_lrs"]]
        self._require_step(t)
        return {"last_epoch": int(t) if t.is_integer() else t, "base_lrs": base_lrs}

    def _take(self, state: dict[str, Any]) -> None:
        self.base_lrs, self.last_epoch = state["base_lrs"], state["last_epoch"]
        self._apply(self.last_epoch)


class LambdaLR(LRScheduler):
    """lr = lr0 * lr_lambda(t). lr_lambda : a function, or one for each group (it is not saved)."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1):
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * count
        if len(self.lr_lambdas) != count or not all(map(callable, self.lr_lambdas)):
            raise ValueError(
                f"LambdaLR: lr_lambda must be a function or {count} functions, got {lr_lambda!r}"
            )
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return base_lr * self.lr_lambdas[group](t)


class StepLR(LRScheduler):
    """lr = lr0 * gamma ** floor(t / step_size). lr0 1, step_size 2, gamma 0.1: 1, 1, 0.1, 0.1, 0.01."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size = _arrays.integer("StepLR", "step_size", step_size, minimum=1)
        self.gamma = _arrays.real("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return base_lr * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """lr = lr0 * gamma ** (number of milestones <= t). A milestone given twice counts twice."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1
    ):
        self.milestones = sorted(
            _arrays.integer("MultiStepLR", "milestones", m, minimum=0) for m in milestones
        )
        self.gamma = _arrays.real("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return base_lr * self.gamma ** bisect.bisect_right(self.milestones, t)


class ConstantLR(LRScheduler):
    """lr = lr0 * factor while t < total_iters, then lr0."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ):
        self.factor = _arrays.real("ConstantLR", "factor", factor, minimum=0, maximum=1)
        self.total_iters = _arrays.integer("ConstantLR", "total_iters", total_iters, minimum=0)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return base_lr * (self.factor if t < self.total_iters else 1)


class LinearLR(LRScheduler):
    """lr = lr0 * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1)); a warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        self.start_factor = _arrays.real("LinearLR", "start_factor", start_factor, minimum=0, maximum=1)
        self.end_factor = _arrays.real("LinearLR", "end_factor", end_factor, minimum=0, maximum=1)
        if self.start_factor == 0:
            raise ValueError("LinearLR: start_factor must be above 0, got 0")
        self.total_iters = _arrays.integer("LinearLR", "total_iters", total_iters, minimum=1)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        share = min(t / self.total_iters, 1)
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * share)


class ExponentialLR(LRScheduler):
    """lr = lr0 * gamma ** t; or, with decay_steps in place of gamma, lr0 * exp(-t / decay_steps)."""

    def __init__(
        self,
        optimizer: Optimizer,
        gamma: float | None = None,
        last_epoch: int = -1,
        *,
        decay_steps: float | None = None,
    ):
        if (gamma is None) == (decay_steps is None):
            raise ValueError("ExponentialLR: expected one of gamma and decay_steps, got both or none")
        if decay_steps is not None:
            if _arrays.real("ExponentialLR", "decay_steps", decay_steps, minimum=0) == 0:
                raise ValueError("ExponentialLR: decay_steps must be above 0, got 0")
            gamma = math.exp(-1 / decay_steps)
        self.gamma = _arrays.real("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return base_lr * self.gamma**t


class PolynomialLR(LRScheduler):
    """lr = lr0 * (1 - min(t, total_iters) / total_iters) ** power."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters = _arrays.integer("PolynomialLR", "total_iters", total_iters, minimum=1)
        self.power = _arrays.real("PolynomialLR", "power", power, minimum=0)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return base_lr * (1 - min(t, self.total_iters) / self.total_iters) ** self.power


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (lr0 - eta_min) * (1 + cos(pi * t / T_max)) / 2; it rises again after T_max.

    PyTorch reaches the same values by a recursion. Loshchilov and Hutter, ICLR 2017.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = _arrays.integer("CosineAnnealingLR", "T_max", T_max, minimum=1)
        self.eta_min = _arrays.real("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosine from lr0 to eta_min over T_0 steps, then again from lr0, each round T_mult times as long.

    `step(epoch)` takes fractions, for steps within an epoch. Loshchilov and Hutter, ICLR 2017.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ):
        self.T_0 = _arrays.integer("CosineAnnealingWarmRestarts", "T_0", T_0, minimum=1)
        self.T_mult = _arrays.integer("CosineAnnealingWarmRestarts", "T_mult", T_mult, minimum=1)
        self.eta_min = _arrays.real("CosineAnnealingWarmRestarts", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, t: float, base_lr: float, group: int) -> float:
        length: float = self.T_0
        if self.T_mult == 1:
            t = t % length
        while t >= length:
            t -= length
            length *= self.T_mult
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * t / length)) / 2


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
        self.max_lrs = _per_group(op, "max_lr", max_lr, count)
        self.div_factor = _positive(op, "div_factor", div_factor)
        self.final_div_factor = _positive(op, "final_div_factor", final_div_factor)
        _arrays.one_of(op, "cycle_momentum", cycle_momentum, (False, True))
        self.cycle_momentum = cycle_momentum
        if cycle_momentum and not all("momentum" in g or "betas" in g for g in optimizer.param_groups):
            raise ValueError(f"{op}: cycle_momentum needs an optimizer with momentum or betas")
        self.base_momenta = _per_group(op, "base_momentum", base_momentum, count)
        self.max_momenta = _per_group(op, "max_momentum", max_momentum, count)
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


class SequentialLR(LRScheduler):
    """One schedule after the other: schedulers[i + 1] starts at t = milestones[i], with its own t = 0.

    schedulers : made for the same optimizer. milestones : rising ints, one fewer than schedulers.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ):
        schedulers, milestones = list(schedulers), list(milestones)
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: milestones must be one fewer than the {len(schedulers)} schedulers, got {milestones}"
            )
        if sorted(set(milestones)) != milestones:
            raise ValueError(f"SequentialLR: milestones must rise, got {milestones}")
        for scheduler in schedulers:
            if not isinstance(scheduler, LRScheduler) or scheduler.optimizer is not optimizer:
                raise ValueError("SequentialLR: schedulers must be schedules of the same optimizer")
        self.schedulers = schedulers
        self.milestones = [_arrays.integer("SequentialLR", "milestones", m, minimum=1) for m in milestones]
        super().__init__(optimizer, last_epoch)

    def _place(self, t: float) -> tuple[LRScheduler, float]:
        """The schedule that rules at t, and its own t."""
        index = bisect.bisect_right(self.milestones, t)
        return self.schedulers[index], t - (self.milestones[index - 1] if index else 0)

    def _require_step(self, t: float) -> None:
        scheduler, own = self._place(t)
        scheduler._require_step(own)

    def _apply(self, t: float) -> None:
        scheduler, own = self._place(t)
        scheduler.step(own)

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
        }

    def _checked_state(self, state: dict[str, Any]) -> dict[str, Any]:
        checked = super()._checked_state(state)
        inner = state.get("schedulers", state.get("_schedulers"))
        if inner is None or len(inner) != len(self.schedulers):
            raise ValueError(
                f"SequentialLR.load_state_dict: expected {len(self.schedulers)} schedulers in state"
            )
        pairs = zip(self.schedulers, inner, strict=True)
        return {**checked, "schedulers": [scheduler._checked_state(theirs) for scheduler, theirs in pairs]}

    def _take(self, state: dict[str, Any]) -> None:
        for scheduler, own in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler._take(own)
        super()._take(state)


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
        self.min_lrs = _per_group(op, "min_lr", min_lr, len(optimizer.param_groups))
        self.eps = _arrays.real(op, "eps", eps, minimum=0)
        self.best = self._no_best
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def step(self, metrics: float) -> None:
        """Count one value of the metric."""
        value = float(metrics)
        self.last_epoch += 1
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
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

    def _reduce(self) -> None:
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, lowest)
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
        """Continue where the schedule that gave `state` was."""
        missing = sorted(set(self._COUNTERS) - set(state))
        if missing:
            raise ValueError(f"ReduceLROnPlateau.load_state_dict: state lacks {', '.join(missing)}")
        for name in self._COUNTERS[1:]:
            setattr(self, name, _arrays.integer("ReduceLROnPlateau", name, state[name], minimum=0))
        best = state["best"]
        self.best = self._no_best if best is None else float(best)


def simulate(make: Callable[[Optimizer], LRScheduler], steps: int, lr: float = 1.0) -> list[float]:
    """The learning rates at t = 0 .. steps - 1 of a schedule over an optimizer of lr `lr` that has one parameter.

    make : e.g. `lambda optimizer: StepLR(optimizer, 30)`. No optimizer of the caller's is touched.
    """
    import numpy as np

    from gpudl.nn.parameter import Parameter
    from gpudl.optim.sgd import SGD

    steps = _arrays.integer("simulate", "steps", steps, minimum=0)
    scheduler = make(SGD([Parameter(np.zeros(1))], lr, momentum=0.9))
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        if len(rates) < steps:
            scheduler.step()
    return rates


def plot(make: Callable[[Optimizer], LRScheduler], steps: int, path: str, lr: float = 1.0) -> None:
    """Draw `simulate(make, steps, lr)` as an image file (PNG, SVG or PDF by its ending). Needs matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plot needs matplotlib: pip install 'gpudl[train]'") from error
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="learning rate")
    axes.plot(simulate(make, steps, lr))
    figure.savefig(path, dpi=150)


def _per_group(op: str, name: str, value: Any, count: int) -> list[float]:
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ValueError(f"{op}: {name} must be a number or {count} numbers, got {len(values)}")
    return [_arrays.real(op, name, item, minimum=0) for item in values]


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

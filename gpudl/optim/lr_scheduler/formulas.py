"""Schedules whose learning rate is one formula of the step."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

from gpudl.ops import _arrays
from gpudl.optim.lr_scheduler.base import LRScheduler
from gpudl.optim.optimizer import Optimizer


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

"""Step a learning-rate schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpudl.ops import _arrays
from gpudl.optim.lr_scheduler import ReduceLROnPlateau
from gpudl.train.callbacks.callback import Callback, Row, monitored

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class LRSchedule(Callback):
    """Call `scheduler.step()` after every epoch or after every step.

    scheduler : one of `gpudl.optim.lr_scheduler`, made with the trainer's optimizer.
    interval : "epoch" or "step", the unit of the schedule's t.
    monitor : the column of the history that ReduceLROnPlateau gets, for it only; "val_loss" by default.
    """

    def __init__(self, scheduler: Any, interval: str = "epoch", monitor: str | None = None):
        _arrays.one_of("LRSchedule", "interval", interval, ("epoch", "step"))
        if not callable(getattr(scheduler, "step", None)) or not hasattr(scheduler, "optimizer"):
            raise TypeError(
                f"LRSchedule: scheduler must be a learning-rate schedule, got {type(scheduler).__name__}"
            )
        plateau = isinstance(scheduler, ReduceLROnPlateau)
        if monitor is not None and not plateau:
            raise ValueError("LRSchedule: monitor is for ReduceLROnPlateau only")
        if plateau and interval == "step":
            raise ValueError("LRSchedule: ReduceLROnPlateau needs interval='epoch'")
        self.scheduler = scheduler
        self.interval = interval
        self.monitor = (monitor or "val_loss") if plateau else None

    def on_fit_begin(self, trainer: Trainer) -> None:
        if self.scheduler.optimizer is not trainer.optimizer:
            raise ValueError("LRSchedule: scheduler must be made with the trainer's optimizer")

    def on_step_end(self, trainer: Trainer) -> None:
        if self.interval == "step":
            self.scheduler.step()

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        if self.monitor is not None:
            self.scheduler.step(monitored(self, self.monitor, row))
        elif self.interval == "epoch":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scheduler.load_state_dict(state)

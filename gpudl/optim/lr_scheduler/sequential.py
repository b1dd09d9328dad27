"""One schedule after the other."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from gpudl.ops import _arrays
from gpudl.optim.lr_scheduler.base import LRScheduler
from gpudl.optim.optimizer import Optimizer


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
        if isinstance(state, dict):
            state = {"base_lrs": self.base_lrs, **state}  # PyTorch's sequences leave them to their schedules
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

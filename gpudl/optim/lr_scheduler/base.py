"""What all schedules are: a formula of the step, set as the learning rate of every group."""

from __future__ import annotations

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
        # -1 is PyTorch's for a schedule whose turn in a sequence has not come
        t = max(_arrays.real(op, "last_epoch", state["last_epoch"], minimum=-1), 0.0)
        base_lrs = [_arrays.real(op, "base_lrs", base) for base in state["base_lrs"]]
        self._require_step(t)
        return {"last_epoch": int(t) if t.is_integer() else t, "base_lrs": base_lrs}

    def _take(self, state: dict[str, Any]) -> None:
        self.base_lrs, self.last_epoch = state["base_lrs"], state["last_epoch"]
        self._apply(self.last_epoch)


def per_group(op: str, name: str, value: Any, count: int) -> list[float]:
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ValueError(f"{op}: {name} must be a number or {count} numbers, got {len(values)}")
    return [_arrays.real(op, name, item, minimum=0) for item in values]

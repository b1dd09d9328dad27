"""Save the whole state of a run: the last few, and the best."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpudl.ops import _arrays
from gpudl.train import checkpoint
from gpudl.train.callbacks._best import Best
from gpudl.train.callbacks.callback import Callback, Row, monitored, require_state

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class ModelCheckpoint(Callback):
    """Save `trainer.state_dict()` after every epoch, after every so many steps, and when interrupted.

    folder : where folders like "last-epoch-0003-step-00000120" and "best-epoch-0002-step-00000080" are made.
    keep_last : how many of the newest stay. every_steps : also after each so many steps; None for epochs only.
    monitor : the column of the history whose best epoch is kept too; None for none.
    mode : "min", "max", or "auto": "min" for names that end in loss or error, else "max".

    A checkpoint that cannot be written (a full disk) is a warning: the run and the checkpoints before it go on.
    """

    def __init__(
        self,
        folder: str | Path,
        keep_last: int = 2,
        monitor: str | None = None,
        mode: str = "auto",
        every_steps: int | None = None,
    ):
        op = "ModelCheckpoint"
        self.folder = Path(folder)
        self.keep_last = _arrays.integer(op, "keep_last", keep_last, minimum=1)
        self.monitor = monitor
        self.every_steps = (
            None if every_steps is None else _arrays.integer(op, "every_steps", every_steps, minimum=1)
        )
        self._best = None if monitor is None else Best(op, monitor, mode)
        self._best_now = False

    def on_fit_begin(self, trainer: Trainer) -> None:
        checkpoint.remove_leftovers(self.folder)

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        if self._best is None or self.monitor is None:
            return
        value = monitored(self, self.monitor, row)
        self._best_now = self._best.is_better(value)
        if self._best_now:
            self._best.value = value

    def on_checkpoint(self, trainer: Trainer, reason: str) -> None:
        if reason == "step" and (self.every_steps is None or trainer.step % self.every_steps):
            return
        if reason == "epoch" and self._best_now:
            # Before the one that says that this epoch was the best: a kill between the two repeats the epoch.
            self._save(trainer, "best", keep=1)
        self._save(trainer, "last", keep=self.keep_last)

    def _save(self, trainer: Trainer, kind: str, keep: int) -> None:
        path = self.folder / f"{kind}-epoch-{trainer.epoch:04d}-step-{trainer.step:08d}"
        try:
            checkpoint.save_checkpoint(path, trainer.state_dict())
        except OSError as error:
            warnings.warn(f"{path}: checkpoint not written: {error.strerror or error}", stacklevel=2)
            return
        same = [
            other for other in checkpoint.list_checkpoints(self.folder) if other.name.startswith(f"{kind}-")
        ]
        others = [other for other in same if other != path]
        for other in others[: max(0, len(others) - keep + 1)]:
            checkpoint.remove_checkpoint(other)

    def state_dict(self) -> dict[str, Any]:
        return {"best": None if self._best is None else self._best.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        require_state(self, state, "best")
        if state["best"] is not None and not isinstance(state["best"], int | float):
            raise TypeError(
                f"ModelCheckpoint: best must be a number or None, got {type(state['best']).__name__}"
            )
        if self._best is not None:
            self._best.value = state["best"]

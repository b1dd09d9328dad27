"""Stop when the loss is no number any more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpudl.ops import _arrays
from gpudl.train.callbacks.callback import Callback, Row

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class TerminateOnNaN(Callback):
    """Stop the run when the training loss is NaN or infinite; no checkpoint is written once that is seen.

    every : steps between two looks. The mean over the epoch is looked at, which keeps what an earlier step brought
    in, so nothing is missed; each look waits for the device. A checkpoint of a step between two looks is written
    unseen: let every divide the `every_steps` of ModelCheckpoint.
    """

    def __init__(self, every: int = 10):
        self.every = _arrays.integer("TerminateOnNaN", "every", every, minimum=1)

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.step % self.every == 0:
            self._look(trainer, trainer.running_loss())

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        self._look(trainer, row["train_loss"])

    def _look(self, trainer: Trainer, loss: float) -> None:
        if not math.isfinite(loss):
            trainer.stop(
                f"the training loss is {loss} at step {trainer.step}; try a smaller learning rate or clip_grad_norm",
                diverged=True,
            )

"""Stop when a metric has not improved for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpudl.ops import _arrays
from gpudl.train.callbacks._best import Best
from gpudl.train.callbacks.callback import Callback, Row, monitored, require_state

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class EarlyStopping(Callback):
    """Stop after `patience` epochs in a row in which `monitor` has not improved by more than `min_delta`.

    monitor : a column of the history, such as "val_loss". patience : 0 acts as 1.
    mode : "min", "max", or "auto": "min" for names that end in loss or error, else "max".
    restore_best : when the run is over, give the model the parameters and buffers of its best epoch.
    start_from_epoch : the first so many epochs do not count. Follows keras.callbacks.EarlyStopping.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = False,
        start_from_epoch: int = 0,
    ):
        self.monitor = monitor
        self.patience = _arrays.integer("EarlyStopping", "patience", patience, minimum=0)
        _arrays.one_of("EarlyStopping", "restore_best", restore_best, (False, True))
        self.restore_best = restore_best
        self.start_from_epoch = _arrays.integer(
            "EarlyStopping", "start_from_epoch", start_from_epoch, minimum=0
        )
        self._best = Best("EarlyStopping", monitor, mode, min_delta)
        self.best_epoch = 0
        self.bad_epochs = 0
        self._weights: dict[str, Any] = {}

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._best.value

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        value = monitored(self, self.monitor, row)
        if row["epoch"] <= self.start_from_epoch:
            return
        if self._best.is_better(value):
            self._best.value, self.best_epoch, self.bad_epochs = value, row["epoch"], 0
            if self.restore_best:
                self._weights = {
                    name: _arrays.copied(array) for name, array in trainer.model.state_dict().items()
                }
            return
        self.bad_epochs += 1
        if self.bad_epochs >= self.patience:
            trainer.stop(
                f"{self.monitor} has not improved since epoch {self.best_epoch} ({self.best}), patience {self.patience}"
            )

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._weights:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": self.best, "best_epoch": self.best_epoch, "bad_epochs": self.bad_epochs, "weights": self._weights,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        require_state(self, state, "best", "best_epoch", "bad_epochs", "weights")
        epochs = [
            _arrays.integer("EarlyStopping", k, state[k], minimum=0) for k in ("best_epoch", "bad_epochs")
        ]
        if state["best"] is not None and not isinstance(state["best"], int | float):
            raise TypeError(
                f"EarlyStopping: best must be a number or None, got {type(state['best']).__name__}"
            )
        if not isinstance(state["weights"], dict):
            raise TypeError(f"EarlyStopping: weights must be a dict, got {type(state['weights']).__name__}")
        self._best.value = state["best"]
        self.best_epoch, self.bad_epochs = epochs
        self._weights = state["weights"] if self.restore_best else {}

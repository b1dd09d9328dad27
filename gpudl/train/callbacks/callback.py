"""The base of callbacks: what a trainer calls, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer

Row = dict[str, Any]  # one epoch: "epoch", "step", "lr", "train_loss", ..., "val_loss", ..., "seconds"


class Callback:
    """Override what you need; every method does nothing by default.

    A callback that remembers something from one call to the next gives it in `state_dict`, so that a run that is
    resumed goes on as if it had never stopped.
    """

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Before the first step of a `fit`, resumed or not."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After each step of the optimizer; `trainer.step` counts them over the whole run."""

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        """After training and validation of an epoch; `row` holds what came out."""

    def on_checkpoint(self, trainer: Trainer, reason: str) -> None:
        """Where `trainer.state_dict()` is whole: after all callbacks of a step or an epoch, or when interrupted.

        reason : "step", "epoch" or "interrupt".
        """

    def on_fit_end(self, trainer: Trainer) -> None:
        """When the run is over: all epochs are done, or it was stopped. Not after an error or an interrupt."""

    def on_close(self, trainer: Trainer) -> None:
        """Last of all, whatever happened: give back what `on_fit_begin` took."""

    def state_dict(self) -> dict[str, Any]:
        """Numbers, text, lists and arrays."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the callback that gave `state` was."""
        if state:
            raise ValueError(f"{type(self).__name__}: state must be empty, got {sorted(state)}")


def require_state(callback: Callback, state: dict[str, Any], *names: str) -> None:
    """Raise where `state` does not hold exactly `names`."""
    if not isinstance(state, dict) or set(state) != set(names):
        raise ValueError(
            f"{type(callback).__name__}: state must have the keys {sorted(names)}, got {sorted(state)}"
        )


def monitored(callback: Callback, monitor: str, row: Row) -> float:
    """The value that a callback watches."""
    if monitor not in row:
        raise ValueError(
            f"{type(callback).__name__}: monitor must be one of {', '.join(row)}, got {monitor!r}"
            + (" (fit has no validation data)" if monitor.startswith("val_") else "")
        )
    return float(row[monitor])

"""Where a run is, on the terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from gpudl.train.callbacks.callback import Callback, Row

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer

_SECONDS_BETWEEN_LOSSES = 0.25  # reading the loss waits for the device


class ProgressBar(Callback):
    """A live bar with rate and running loss where `file` is a terminal, and a line for each epoch in any case.

    file : sys.stderr by default. Needs rich for the live bar.
    """

    def __init__(self, file: TextIO | None = None):
        self._file = file or sys.stderr
        self._live = self._file.isatty()
        self._progress: Any = None
        self._task: Any = None
        self._read_at = 0.0

    def on_fit_begin(self, trainer: Trainer) -> None:
        if self._live:
            self._progress = live_progress(self._file, "steps", "loss")
            self._progress.start()
            self._start_epoch(trainer)

    def on_step_end(self, trainer: Trainer) -> None:
        if self._progress is None:
            return
        now = time.monotonic()
        if now - self._read_at > _SECONDS_BETWEEN_LOSSES:
            self._read_at = now
            self._progress.update(self._task, loss=f"loss {trainer.running_loss():.4f}")
        self._progress.update(self._task, completed=-(-trainer.batch // trainer.accumulate))

    def on_epoch_end(self, trainer: Trainer, row: Row) -> None:
        line = epoch_line(row, trainer.epochs)
        if self._progress is None:
            print(line, file=self._file, flush=True)
            return
        self._progress.console.print(line, highlight=False, soft_wrap=True)

    def on_checkpoint(self, trainer: Trainer, reason: str) -> None:
        if self._progress is not None and reason == "epoch":
            self._start_epoch(trainer)

    def on_close(self, trainer: Trainer) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _start_epoch(self, trainer: Trainer) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        if trainer.epoch < trainer.epochs and trainer.stop_reason is None:
            words = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
            self._task = self._progress.add_task(
                words, total=trainer.steps_per_epoch, completed=trainer.batch // trainer.accumulate, loss=""
            )


def epoch_line(row: Row, epochs: int) -> str:
    """One epoch in words, e.g. "epoch 3/10  train loss 0.1234  train accuracy 0.9512  ...  1.2 s"."""
    parts = [f"epoch {row['epoch']}/{epochs}"]
    parts += [
        f"{name.replace('_', ' ')} {value:.4f}"
        for name, value in row.items()
        if name.startswith(("train_", "val_"))
    ]
    return "  ".join([*parts, f"lr {row['lr']:.3g}", f"{row['seconds']:.1f} s"])


def live_progress(file: TextIO, unit: str, field: str, extra: str = "train") -> Any:
    """A bar of rich for tasks that have `field`, a text after the remaining time; `extra` of gpudl brings rich."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError as error:
        raise ImportError(f"a live progress bar needs rich: pip install 'gpudl[{extra}]'") from error
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn(),
        TextColumn(f"{{task.fields[{field}]}}"), console=Console(file=file), transient=True,
    )  # fmt: skip

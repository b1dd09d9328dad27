"""Whether the model over- or underfits, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpudl.train.callbacks.callback import Callback
from gpudl.train.fit_report import FitDiagnosis, diagnose

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class FitReport(Callback):
    """Say, when the run is over, what the gap of training and validation shows and what to try.

    write : takes the text; print by default. `diagnosis` is what `fit_report.diagnose` made of the history.
    """

    def __init__(self, write: Callable[[str], object] = print):
        self._write = write
        self.diagnosis: FitDiagnosis | None = None

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.history.rows:
            self.diagnosis = diagnose(trainer.history.rows)
            self._write(str(self.diagnosis))

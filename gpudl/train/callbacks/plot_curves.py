"""Learning curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gpudl.train.callbacks.callback import Callback
from gpudl.train.plots import plot_learning_curves

if TYPE_CHECKING:
    from gpudl.train.trainer import Trainer


class PlotCurves(Callback):
    """Draw loss, metrics and learning rate over the epochs to a PNG when the run is over. Needs matplotlib."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.history.rows:
            plot_learning_curves(trainer.history.rows, self.path)

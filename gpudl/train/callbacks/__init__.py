"""What happens beside the steps of a training run."""

from gpudl.train.callbacks.callback import Callback
from gpudl.train.callbacks.early_stopping import EarlyStopping
from gpudl.train.callbacks.fit_report import FitReport
from gpudl.train.callbacks.history import History
from gpudl.train.callbacks.lr_schedule import LRSchedule
from gpudl.train.callbacks.model_checkpoint import ModelCheckpoint
from gpudl.train.callbacks.plot_curves import PlotCurves
from gpudl.train.callbacks.progress_bar import ProgressBar
from gpudl.train.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "Callback",
    "EarlyStopping",
    "FitReport",
    "History",
    "LRSchedule",
    "ModelCheckpoint",
    "PlotCurves",
    "ProgressBar",
    "TerminateOnNaN",
]

"""Training: the loop, its callbacks, checkpoints, plots and reports."""

from gpudl.train._interrupt import Interrupted
from gpudl.train.callbacks import (
    Callback,
    EarlyStopping,
    FitReport,
    History,
    LRSchedule,
    ModelCheckpoint,
    PlotCurves,
    ProgressBar,
    TerminateOnNaN,
)
from gpudl.train.checkpoint import CheckpointError, load_checkpoint, load_newest_checkpoint, save_checkpoint
from gpudl.train.fit_report import FitDiagnosis, diagnose
from gpudl.train.plots import plot_confusion_matrix, plot_learning_curves
from gpudl.train.trainer import Trainer

__all__ = [
    "Callback",
    "CheckpointError",
    "EarlyStopping",
    "FitDiagnosis",
    "FitReport",
    "History",
    "Interrupted",
    "LRSchedule",
    "ModelCheckpoint",
    "PlotCurves",
    "ProgressBar",
    "TerminateOnNaN",
    "Trainer",
    "diagnose",
    "load_checkpoint",
    "load_newest_checkpoint",
    "plot_confusion_matrix",
    "plot_learning_curves",
    "save_checkpoint",
]

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
from gpudl.train.trainer import Trainer

__all__ = [
    "Callback",
    "CheckpointError",
    "EarlyStopping",
    "FitReport",
    "History",
    "Interrupted",
    "LRSchedule",
    "ModelCheckpoint",
    "PlotCurves",
    "ProgressBar",
    "TerminateOnNaN",
    "Trainer",
    "load_checkpoint",
    "load_newest_checkpoint",
    "save_checkpoint",
]

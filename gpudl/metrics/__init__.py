"""Metrics that count on the device of the predictions and are read once, in `compute()`."""

from gpudl.metrics.accuracy import Accuracy
from gpudl.metrics.classification_report import ClassificationReport, classification_report
from gpudl.metrics.confusion_matrix import ConfusionMatrix, F1Score, Precision, Recall
from gpudl.metrics.mean import Mean, MeanAbsoluteError, MeanLoss, MeanSquaredError
from gpudl.metrics.metric import Metric

__all__ = [
    "Accuracy",
    "ClassificationReport",
    "ConfusionMatrix",
    "F1Score",
    "Mean",
    "MeanAbsoluteError",
    "MeanLoss",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "classification_report",
]

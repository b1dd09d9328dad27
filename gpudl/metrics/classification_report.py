"""Precision, recall and F1 of each class and their averages, as a table and as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudl.metrics.confusion_matrix import averaged, class_scores

_COLUMNS = ("precision", "recall", "f1")


@dataclass(frozen=True, eq=False)
class ClassificationReport:
    """What `classification_report` gives; `print` shows it as a table.

    precision, recall, f1 : (C,) float64. support : (C,) int64, samples of each class. macro, weighted : the means
    over classes, equal and by support, keyed by "precision", "recall" and "f1". accuracy is NaN without samples.
    """

    classes: tuple[str, ...]
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    accuracy: float
    macro: dict[str, float]
    weighted: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON: "accuracy" (None without samples), "support", "classes", "macro", "weighted"."""
        return {
            "accuracy": None if math.isnan(self.accuracy) else self.accuracy,
            "support": int(self.support.sum()),
            "classes": {
                name: {
                    **{column: float(getattr(self, column)[i]) for column in _COLUMNS},
                    "support": int(self.support[i]),
                }
                for i, name in enumerate(self.classes)
            },
            "macro": dict(self.macro),
            "weighted": dict(self.weighted),
        }

    def __str__(self) -> str:
        total = int(self.support.sum())
        averages = [
            ("accuracy", ["", "", f"{self.accuracy:.4f}"]),
            ("macro average", [f"{self.macro[column]:.4f}" for column in _COLUMNS]),
            ("weighted average", [f"{self.weighted[column]:.4f}" for column in _COLUMNS]),
        ]
        rows = [("class", list(_COLUMNS), "samples")]
        rows += [
            (name, [f"{getattr(self, column)[i]:.4f}" for column in _COLUMNS], str(self.support[i]))
            for i, name in enumerate(self.classes)
        ]
        rows += [(name, numbers, str(total)) for name, numbers in averages]
        width = max(len(name) for name, _, _ in rows)
        lines = [
            f"{name:<{width}}" + "".join(f"{number:>11}" for number in numbers) + f"{samples:>10}"
            for name, numbers, samples in rows
        ]
        rule = "-" * len(lines[0])
        lines.insert(1, rule)
        lines.insert(len(lines) - len(averages), rule)
        return "\n".join(lines)


def classification_report(
    confusion: np.ndarray, classes: Sequence[str] | None = None
) -> ClassificationReport:
    """Precision, recall and F1 of each class, and their averages.

    confusion : (C, C) counts of an integer dtype, rows true and columns predicted, as `ConfusionMatrix` gives them.
    classes : C different names; None for "0", "1", ....

    A share of nothing is 0. Raises ValueError and TypeError for what does not fit. Follows
    sklearn.metrics.classification_report.
    """
    counts = require_counts("classification_report", "confusion", confusion)
    names = class_names("classification_report", classes, len(counts))
    scores = class_scores(counts, 0)
    by_column = {column: getattr(scores, column) for column in _COLUMNS}
    total = int(counts.sum())
    return ClassificationReport(
        names,
        **by_column,
        support=scores.support,
        accuracy=float(np.trace(counts) / total) if total else math.nan,
        macro={column: averaged(values, np.ones(len(values))) for column, values in by_column.items()},
        weighted={column: averaged(values, scores.support) for column, values in by_column.items()},
    )


def require_counts(op: str, name: str, counts: object) -> np.ndarray:
    """Check a confusion matrix, (C, C) integers of at least 0, C >= 1; returns it as int64."""
    if not isinstance(counts, np.ndarray) or counts.dtype.kind not in "iu":
        kind = getattr(counts, "dtype", type(counts).__name__)
        raise TypeError(f"{op}: {name} must be a NumPy array of an integer dtype, got {kind}")
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or len(counts) == 0:
        raise ValueError(f"{op}: {name} must have shape (C, C), C >= 1, got {counts.shape}")
    if counts.min() < 0:
        raise ValueError(f"{op}: {name} must be counts of at least 0, got {counts.min()}")
    return counts.astype(np.int64)


def class_names(op: str, classes: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """`count` different names; the numbers from 0 where classes is None."""
    if classes is None:
        return tuple(str(i) for i in range(count))
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"{op}: classes must be a list or tuple of str, got {classes!r}")
    if len(classes) != count:
        raise ValueError(f"{op}: classes must be {count} names, one for each class, got {len(classes)}")
    if len(set(classes)) != count:
        raise ValueError(f"{op}: classes must be different names, got {list(classes)}")
    return tuple(classes)

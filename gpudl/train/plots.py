"""Figures of a training run as PNG files: learning curves, confusion matrix. Needs matplotlib.

Figures are made without pyplot, so nothing global changes and no window is needed. The same input gives the same
bytes with the same version of matplotlib.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from numbers import Real
from types import ModuleType
from typing import Any

import numpy as np

from gpudl.metrics.classification_report import class_names, require_counts
from gpudl.ops import _arrays
from gpudl.train._figures import require_matplotlib, save_figure

_TRAIN, _VALIDATION = "#7f8c9b", "#1769aa"  # muted for what was fitted, strong for what counts
_MOST_NUMBERED = 30  # classes: above, numbers in cells would be below 5 points


def plot_learning_curves(history_rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Draw training and validation curves over epochs, one panel for each metric, loss first, as a PNG file.

    history_rows : one mapping an epoch with "epoch" and "train_<metric>", "val_<metric>" for any metrics; "lr" gets a
        small panel below. None, NaN or a missing key is a gap.
    path : the file, overwritten; its folder must exist.

    Each panel marks the best epoch, of validation where there is one: the lowest for a metric whose name ends in
    "loss" or "error", else the highest. Raises ImportError without matplotlib, TypeError and ValueError for rows of
    another form.
    """
    save_figure(_learning_curves(history_rows), path)


def _learning_curves(rows: Sequence[Mapping[str, Any]]) -> Any:
    epochs, columns = _columns(rows)
    metrics, rates = _metrics(columns), columns.get("lr")
    matplotlib = require_matplotlib("plot_learning_curves", "train")
    heights = (3.6,) if rates is None else (3.6, 1.2)  # inches
    figure = matplotlib.figure.Figure(figsize=(1.2 + 4.4 * len(metrics), sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), len(metrics), height_ratios=heights)
    for i, metric in enumerate(metrics):
        axes = figure.add_subplot(grid[0, i])
        _draw_metric(axes, metric, epochs, columns)
        _epoch_axis(axes, epochs, matplotlib)
    if rates is not None:
        axes = figure.add_subplot(grid[1, :], ylabel="learning rate")
        axes.plot(epochs, rates, color="#555555", linewidth=1.5, marker=_marker(rates), markersize=4)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
        highest = 0 if np.isnan(rates).all() else float(np.nanmax(rates))
        axes.set_ylim(0, 1.1 * highest or 1)
        _epoch_axis(axes, epochs, matplotlib)
    for axes in figure.axes[-1:] if rates is not None else figure.axes:
        axes.set_xlabel("epoch")
    return figure


def _columns(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The epochs and the columns that are drawn, gaps as NaN."""
    if len(rows) == 0:
        raise ValueError("plot_learning_curves: history_rows must have at least one epoch, got none")
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(
                f"plot_learning_curves: history_rows must hold mappings, got {type(row).__name__}"
            )
    names = list(dict.fromkeys(name for row in rows for name in row))
    drawn = [name for name in names if name == "lr" or name.startswith(("train_", "val_"))]
    columns = {name: np.array([_number(name, row.get(name)) for row in rows]) for name in drawn}
    epochs = [
        _arrays.integer("plot_learning_curves", "epoch", row.get("epoch", i + 1), minimum=0)
        for i, row in enumerate(rows)
    ]
    return np.array(epochs), columns


def _number(name: str, value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"plot_learning_curves: {name} must be a number or None, got {type(value).__name__}")
    return float(value) if math.isfinite(value) else math.nan


def _metrics(columns: dict[str, np.ndarray]) -> list[str]:
    """The metrics of the columns, loss and accuracy first, then in the order in which they came."""
    found = list(dict.fromkeys(name.partition("_")[2] for name in columns if name != "lr"))
    if not found:
        raise ValueError(
            "plot_learning_curves: history_rows must have columns 'train_...' or 'val_...', "
            f"got {sorted(columns)}"
        )
    return sorted(found, key=lambda metric: {"loss": 0, "accuracy": 1}.get(metric, 2))


def _draw_metric(axes: Any, metric: str, epochs: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    best_of = None
    for prefix, label, color in (("train", "training", _TRAIN), ("val", "validation", _VALIDATION)):
        values = columns.get(f"{prefix}_{metric}")
        if values is not None:
            axes.plot(
                epochs, values, label=label, color=color, linewidth=1.8, marker=_marker(values), markersize=4
            )
            if not np.isnan(values).all():
                best_of = values, color
    if best_of is not None:
        values, color = best_of
        best = int(np.nanargmin(values) if _lower_is_better(metric) else np.nanargmax(values))
        axes.plot(
            epochs[best], values[best], linestyle="none", marker="o", markersize=10, markerfacecolor="none",
            markeredgecolor=color, markeredgewidth=1.5,
            label=f"best: {values[best]:.4g} (epoch {epochs[best]})",
        )  # fmt: skip
    axes.set_title(metric.replace("_", " "))
    axes.legend(frameon=False, fontsize=8)


def _lower_is_better(metric: str) -> bool:
    return metric.endswith(("loss", "error"))


def _marker(values: np.ndarray) -> str | None:
    """Points where a line alone would not show a value that stands between gaps, or few of them."""
    known = ~np.isnan(values)
    alone = known & ~np.append(known[1:], False) & ~np.append(False, known[:-1])
    return "o" if len(values) <= 12 or alone.any() else None


def _epoch_axis(axes: Any, epochs: np.ndarray, matplotlib: ModuleType) -> None:
    margin = max(0.5, 0.03 * float(epochs.max() - epochs.min()))
    axes.set_xlim(epochs.min() - margin, epochs.max() + margin)
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.grid(color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def plot_confusion_matrix(
    counts: np.ndarray,
    classes: Sequence[str] | None,
    path: str | os.PathLike[str],
    normalize: bool = False,
) -> None:
    """Draw a confusion matrix as a PNG file.

    counts : (C, C) of an integer dtype, rows true and columns predicted. classes : C different names; None for "0",
    "1", .... path : the file, overwritten; its folder must exist. normalize : True shows the percentage of each true
    class instead of counts.

    Colours are shares of the true class either way, so that rare classes can be read, on a scale of square roots, so
    that an error of one percent can be seen. Cells have numbers for up to 30 classes. Raises ImportError without
    matplotlib, TypeError and ValueError for what does not fit.
    """
    op = "plot_confusion_matrix"
    counts = require_counts(op, "counts", counts)
    names = class_names(op, classes, len(counts))
    if not isinstance(normalize, bool):
        raise TypeError(f"{op}: normalize must be a bool, got {type(normalize).__name__}")
    save_figure(_confusion_matrix(counts, names, normalize), path)


def _confusion_matrix(counts: np.ndarray, names: tuple[str, ...], normalize: bool) -> Any:
    matplotlib = require_matplotlib("plot_confusion_matrix", "train")
    C, total, right = len(counts), int(counts.sum()), int(np.trace(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(2.6, C * min(0.62, max(0.13, 12.5 / C)))  # inches
    figure = matplotlib.figure.Figure(figsize=(side + 2.2, side + 1.2), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted class", ylabel="true class")
    scale = matplotlib.colors.PowerNorm(0.5, 0, 1)
    edges = np.arange(C + 1) - 0.5
    line = 0.8 if C <= _MOST_NUMBERED else 0.3
    image = axes.pcolormesh(
        edges, edges, shares, cmap="Blues", norm=scale, edgecolors="white", linewidth=line
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, decimals=0))
    bar.ax.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    if total:
        axes.set_title(f"{right} of {total} samples right ({right / total:.2%})", fontsize=10)
    _name_classes(axes, names, side)
    if C <= _MOST_NUMBERED:
        _write_numbers(axes, counts, shares, normalize, side / C)
    return figure


def _name_classes(axes: Any, names: tuple[str, ...], side: float) -> None:
    """Names along both axes, upright where they would run into each other."""
    C = len(names)
    size = min(10.0, max(5.0, side / C * 40))
    turned = C * max(len(name) for name in names) * size * 0.6 > side * 72
    # a name may hold dollar signs, which are no formulas
    axes.set_xticks(range(C), names, fontsize=size, parse_math=False, rotation=90 if turned else 0)
    axes.set_yticks(range(C), names, fontsize=size, parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_numbers(axes: Any, counts: np.ndarray, shares: np.ndarray, normalize: bool, cell: float) -> None:
    """The number of each cell that is not 0, in a size that fits into `cell` inches."""
    texts = [
        [_cell_text(n, share, normalize) for n, share in zip(*row, strict=True)]
        for row in zip(counts, shares, strict=True)
    ]
    longest = max(len(text) for row in texts for text in row)
    size = min(11.0, cell * 72 * 0.85 / (0.6 * max(longest, 1)))
    for t, row in enumerate(texts):
        for p, text in enumerate(row):
            color = "white" if shares[t, p] > 0.25 else "#222222"
            axes.text(p, t, text, ha="center", va="center", fontsize=size, color=color, in_layout=False)


def _cell_text(count: int, share: float, normalize: bool) -> str:
    if count == 0:
        return ""
    return f"{100 * share:.1f}" if normalize else str(count)

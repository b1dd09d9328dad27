"""Figures of a run: ratios to each contender, the roofline, time over the batch size. Needs matplotlib."""

from __future__ import annotations

import itertools
import re
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpudl.bench import summary, text
from gpudl.bench.operators import OURS
from gpudl.bench.record import Ceiling, Record, Row
from gpudl.bench.summary import Entry
from gpudl.train._figures import require_matplotlib, save_figure

_OURS = "#1769aa"
_OTHERS = ("#d1662a", "#3f8f4f", "#8357a4", "#b03a48", "#6b6f76", "#b08d1e", "#2a9d9d", "#c264a6")
_STYLES = ("-", "--", ":", "-.", (0, (1, 4)))  # of the roofline's ceilings
_MOST_PANELS = 24  # of batch sizes, 4 a line
_BATCH = (re.compile(r"\b(N (\d+))\b"), re.compile(r"\(((\d+))(?=[,)])"))


def draw(record: Record, folder: Path) -> dict[str, str]:
    """PNG files in `folder`, those that the run has rows for; returns their titles and names.

    ImportError where there is no matplotlib.
    """
    matplotlib = require_matplotlib("a figure of a benchmark", "bench")
    figures = {
        ("Ratio against each contender", "ratios.png"): _ratios(summary.entries(record.rows), matplotlib),
        ("Roofline", "roofline.png"): _roofline(record.rows, record.ceilings, matplotlib),
        ("Time over batch size", "batch.png"): _batches(record.rows, matplotlib),
    }
    drawn = {key: figure for key, figure in figures.items() if figure is not None}
    for (_, name), figure in drawn.items():
        save_figure(figure, folder / name)
    return dict(drawn.keys())


def _colors(names: Iterable[str]) -> dict[str, str]:
    others = [name for name in dict.fromkeys(names) if name != OURS]
    return {OURS: _OURS} | {name: _OTHERS[i % len(_OTHERS)] for i, name in enumerate(others)}


def _ratios(entries: Sequence[Entry], matplotlib: Any) -> Any:
    """A panel for each contender; a point for each row, a bar for the geometric mean of each family."""
    paired = [entry for entry in entries if entry.ratio is not None]
    if not paired:
        return None
    contenders = list(dict.fromkeys(entry.row.contender for entry in paired))
    families = {
        name: sorted({entry.row.family for entry in paired if entry.row.contender == name}, reverse=True)
        for name in contenders
    }
    colors = _colors(contenders)
    heights = [0.9 + 0.3 * len(those) for those in families.values()]  # inches
    figure = matplotlib.figure.Figure(figsize=(8, 0.5 + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(contenders), 1, height_ratios=heights)
    furthest = max(1, max(abs(np.log2(entry.ratio.median)) for entry in paired))
    for i, contender in enumerate(contenders):
        axes = figure.add_subplot(grid[i], xscale="log")
        those = [entry for entry in paired if entry.row.contender == contender]
        _draw_ratios(axes, those, families[contender], colors[contender])
        axes.axvline(1, color="#555555", linewidth=1)
        # powers of two on both sides, the same in all panels, so that they can be compared
        step = max(1, furthest // 5)
        axes.set_xticks(2.0 ** (step * np.arange(-(furthest // step), furthest // step + 1)))
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes.set_xlim(2 ** -(furthest + 0.1), 2 ** (furthest + 0.1))
        label = f"gpudl's time / {text.plain(contender)}'s (left of 1: gpudl is faster)"
        axes.set_xlabel(label, parse_math=False)
        _plain_numbers(axes.xaxis, matplotlib)
        _tidy(axes)
    return figure


def _draw_ratios(axes: Any, those: Sequence[Entry], families: Sequence[str], color: str) -> None:
    for y, family in enumerate(families):
        ratios = [entry.ratio.median for entry in those if entry.row.family == family]
        if ratios:
            heights = y + 0.5 * (np.arange(len(ratios)) + 0.5) / len(ratios) - 0.25
            axes.plot(ratios, heights, "o", color=color, markersize=3.5, alpha=0.6)
            mean = statistics.geometric_mean(ratios)
            axes.plot([mean, mean], [y - 0.36, y + 0.36], color="#222222", linewidth=2)
    axes.set_yticks(range(len(families)), map(text.plain, families), parse_math=False)
    axes.set_ylim(-0.6, len(families) - 0.4)


def _roofline(rows: Sequence[Row], ceilings: Sequence[Ceiling], matplotlib: Any) -> Any:
    """Operations a second over operations per byte; the last ceilings that the run measured as lines."""
    timed = [row for row in rows if row.ok and row.flops and row.bytes]
    values = {ceiling.name: ceiling.value for ceiling in ceilings}
    maths = [name for name in dict.fromkeys(row.dtype for row in timed) if f"matmul {name}" in values]
    if not timed or "copy" not in values or not maths:
        return None
    if "float32" in maths and "matmul tf32" in values:  # products of float32 too
        maths.append("tf32")
    figure = matplotlib.figure.Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.add_subplot(
        xscale="log", yscale="log", xlabel="operations per byte", ylabel="operations a second"
    )
    for contender, color in _colors(row.contender for row in timed).items():
        those = [row for row in timed if row.contender == contender]
        if those:
            axes.plot(
                [row.flops / row.bytes for row in those], [row.flops / row.seconds for row in those], "o",
                color=color, markersize=4, alpha=0.6, label=_label(contender),
            )  # fmt: skip
    low, high = (edge(row.flops / row.bytes for row in timed) for edge in (min, max))
    x = np.geomspace(low / 2, high * 2, 200)
    for name, style in zip(maths, itertools.cycle(_STYLES)):
        roof = np.minimum(values["copy"] * x, values[f"matmul {name}"])
        axes.plot(x, roof, linestyle=style, color="#222222", linewidth=1.2, label=f"ceiling, {name}")
    axes.legend(frameon=False, fontsize=8)
    _tidy(axes)
    return figure


def _batches(rows: Sequence[Row], matplotlib: Any) -> Any:
    """A panel for each workload that was measured in several batch sizes, those of most sizes first."""
    series: dict[tuple[str, ...], dict[str, dict[int, Row]]] = {}
    for row in rows:
        words, batch = split_batch(row.workload)
        if row.ok and batch is not None:
            key = (row.operator, words, row.dtype, row.cache)
            series.setdefault(key, {}).setdefault(row.contender, {})[batch] = row
    sizes = {key: len({batch for those in series[key].values() for batch in those}) for key in series}
    shown = sorted((key for key in series if sizes[key] > 1), key=lambda key: -sizes[key])
    if not shown:
        return None
    left_out, shown = len(shown[_MOST_PANELS:]), shown[:_MOST_PANELS]
    across = min(4, len(shown))
    down = -(-len(shown) // across)
    figure = matplotlib.figure.Figure(figsize=(3.6 * across + 0.4, 2.9 * down + 0.5), layout="constrained")
    colors = _colors(name for key in shown for name in series[key])
    for i, key in enumerate(shown):
        axes = figure.add_subplot(down, across, i + 1, xscale="log", yscale="log")
        _draw_batches(axes, series[key], colors, matplotlib)
        # wrapped here: matplotlib's own wrapping goes by the figure, and titles side by side meet
        axes.set_title(textwrap.fill(text.plain(", ".join(key)), 48), fontsize=7, parse_math=False)
    if left_out:
        figure.suptitle(f"and {left_out} workloads more, which are in the table", fontsize=8)
    return figure


def split_batch(workload: str) -> tuple[str, int | None]:
    """The words with N for the batch size, and the batch size: see `problem.Problem.workload`."""
    for pattern in _BATCH:
        if (found := pattern.search(workload)) is not None:
            start, end = found.span(1)
            return f"{workload[:start]}N{workload[end:]}", int(found[2][:12])
    return workload, None


def _draw_batches(
    axes: Any, those: dict[str, dict[int, Row]], colors: dict[str, str], matplotlib: Any
) -> None:
    floors = {batch: row.floor for by_batch in those.values() for batch, row in by_batch.items() if row.floor}
    for contender, by_batch in those.items():
        batches = sorted(by_batch)
        axes.plot(
            batches, [by_batch[batch].seconds * 1e3 for batch in batches], "o-", markersize=3.5, linewidth=1.4,
            color=colors[contender], label=_label(contender),
        )  # fmt: skip
    if floors:
        axes.plot(
            sorted(floors), [floors[batch] * 1e3 for batch in sorted(floors)], ":", color="#222222", label="floor"
        )  # fmt: skip
    axes.set_xticks(sorted({batch for by_batch in those.values() for batch in by_batch}))
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
        _plain_numbers(axis, matplotlib)
    axes.set_xlabel("N", fontsize=8)
    axes.set_ylabel("ms", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(frameon=False, fontsize=7)
    _tidy(axes)


def _label(contender: str) -> str:
    """Without what matplotlib would take for a formula, or for a line that has no place in a legend."""
    return text.plain(contender).replace("$", r"\$").lstrip("_") or "contender"


def _plain_numbers(axis: Any, matplotlib: Any) -> None:
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))


def _tidy(axes: Any) -> None:
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

"""What the figures show, that the files are PNG and always the same, and what is refused."""

import builtins
import math
import struct
import sys

import numpy as np
import pytest

from gpudl.train import plots
from tests.support.arrays import assert_refuses, bad_calls

pytest.importorskip("matplotlib")

NAMES = ["cat", "dog", "ship"]
COUNTS = np.array([[8, 2, 0], [0, 5, 5], [1, 0, 99]])


def rows_of(epochs, **without):
    rows = [
        {
            "epoch": e, "lr": 0.1 / e, "train_loss": 2.0 / e, "val_loss": 1.0 + (e - 3) ** 2,
            "train_accuracy": 1 - 0.5 / e, "val_accuracy": 0.9 - 0.01 * (e - 4) ** 2, "seconds": 1.5,
        }
        for e in range(1, epochs + 1)
    ]  # fmt: skip
    return [{name: value for name, value in row.items() if name not in without} for row in rows]


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def picture(path):
    """Width, height and pixels of a PNG file."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[-8:-4] == b"IEND"
    return struct.unpack(">II", data[16:24])


def test_learning_curves_show_the_rows_and_mark_the_best_epoch():
    figure = plots._learning_curves(rows_of(6))
    loss, accuracy, rate = figure.axes
    assert [axes.get_title() for axes in (loss, accuracy)] == ["loss", "accuracy"]
    assert rate.get_ylabel() == "learning rate"
    np.testing.assert_allclose(lines(loss)["training"].get_ydata(), [2.0 / e for e in range(1, 7)])
    np.testing.assert_allclose(lines(loss)["validation"].get_xdata(), range(1, 7))
    np.testing.assert_allclose(lines(rate).popitem()[1].get_ydata(), [0.1 / e for e in range(1, 7)])
    assert "best: 1 (epoch 3)" in lines(loss)
    assert "best: 0.9 (epoch 4)" in lines(accuracy)


def test_learning_curves_without_validation_mark_the_best_of_training():
    figure = plots._learning_curves(rows_of(6, val_loss=0, val_accuracy=0, lr=0))
    loss, accuracy = figure.axes
    assert list(lines(loss)) == ["training", "best: 0.3333 (epoch 6)"]
    assert list(lines(accuracy)) == ["training", "best: 0.9167 (epoch 6)"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]


def test_learning_curves_of_any_metrics():
    rows = [
        {"epoch": e, "val_mean_absolute_error": abs(e - 2.0), "train_f1": 0.1 * e, "train_loss": 1.0}
        for e in (1, 2)
    ]
    figure = plots._learning_curves(rows)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "mean absolute error", "f1"]
    assert "best: 0 (epoch 2)" in lines(figure.axes[1])
    assert "best: 0.2 (epoch 2)" in lines(figure.axes[2])


def test_gaps_are_gaps():
    rows = rows_of(20)
    for row, value in zip(rows[4:8], (None, math.nan, math.inf, None), strict=True):
        row["val_loss"] = value
    del rows[9]["val_loss"]  # the value before it stands alone, so that it needs a point
    loss = plots._learning_curves(rows).axes[0]
    values = lines(loss)["validation"].get_ydata()
    assert np.flatnonzero(np.isnan(values)).tolist() == [4, 5, 6, 7, 9]
    assert lines(loss)["validation"].get_marker() == "o"
    assert lines(loss)["training"].get_marker() == "None"
    assert "best: 1 (epoch 3)" in lines(loss)


@pytest.mark.parametrize(
    "rows",
    [
        rows_of(1), rows_of(2), rows_of(300), [{"train_loss": 1.0}], [{"epoch": 3, "val_loss": None, "lr": math.nan}],
        [{"train_loss": math.nan, "lr": 0.0}] * 2, [{"train_loss": np.float32(2)}, {"train_loss": 1}],
    ],
    ids=["one epoch", "two", "many", "one number", "nothing known", "all nan", "numpy numbers"],
)  # fmt: skip
def test_learning_curves_are_png_files_and_always_the_same(tmp_path, rows):
    for name in ("a.png", "b.png"):
        plots.plot_learning_curves(rows, tmp_path / name)
    width, height = picture(tmp_path / "a.png")
    assert 400 < width < 3000
    assert 300 < height < 1000
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("normalize", "texts"),
    [(False, ["8", "2", "", "", "5", "5", "1", "", "99"]), (True, ["80.0", "20.0", "", "", "50.0", "50.0", "1.0", "", "99.0"])],
    ids=["counts", "percent"],
)  # fmt: skip
def test_confusion_matrix_shows_counts_and_names(normalize, texts):
    axes = plots._confusion_matrix(COUNTS, tuple(NAMES), normalize).axes[0]
    assert [text.get_text() for text in axes.texts] == texts
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    assert axes.get_title() == "112 of 120 samples right (93.33%)"
    np.testing.assert_allclose(axes.collections[0].get_array(), COUNTS / [[10], [10], [100]])


@pytest.mark.parametrize("classes", [1, 2, 10, 30, 31, 100])
def test_confusion_matrix_of_any_size_is_a_png_file_and_always_the_same(tmp_path, classes):
    counts = np.random.default_rng(0).integers(0, 1000, (classes, classes))
    counts[0] = 0  # a class without samples
    names = [f"a class named {i}" for i in range(classes)] if classes < 31 else None
    figure = plots._confusion_matrix(counts, tuple(names or map(str, range(classes))), False)
    assert len(figure.axes[0].texts) == (classes**2 if classes <= 30 else 0)
    for name in ("a.png", "b.png"):
        plots.plot_confusion_matrix(counts, names, tmp_path / name)
    width, height = picture(tmp_path / "a.png")
    assert min(width, height) > 300
    assert max(width, height) < 3500
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_confusion_matrix_of_no_samples_can_be_drawn(tmp_path):
    plots.plot_confusion_matrix(np.zeros((2, 2), int), None, str(tmp_path / "a.png"), normalize=True)
    picture(tmp_path / "a.png")


def test_names_are_no_formulas(tmp_path):
    plots.plot_confusion_matrix(COUNTS, ["$\\nothing$", "$", "a_b"], tmp_path / "a.png")
    picture(tmp_path / "a.png")


def test_pyplot_is_left_alone(tmp_path):
    before = "matplotlib.pyplot" in sys.modules
    plots.plot_learning_curves(rows_of(3), tmp_path / "a.png")
    plots.plot_confusion_matrix(COUNTS, NAMES, tmp_path / "b.png")
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize(
    "call",
    [lambda path: plots.plot_learning_curves(rows_of(2), path), lambda path: plots.plot_confusion_matrix(COUNTS, None, path)],
    ids=["curves", "matrix"],
)  # fmt: skip
def test_without_matplotlib_the_error_names_the_extra(monkeypatch, tmp_path, call):
    real = builtins.__import__

    def refusing(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refusing)
    assert_refuses(
        lambda: call(tmp_path / "a.png"), ImportError, "needs matplotlib: pip install 'gpudl[train]'"
    )
    assert not (tmp_path / "a.png").exists()


@bad_calls(
    ("no rows", lambda: plots.plot_learning_curves([], "x"), ValueError, "history_rows must have at least one epoch"),
    ("rows of lists", lambda: plots.plot_learning_curves([[1]], "x"), TypeError, "history_rows must hold mappings, got list"),
    ("no curves", lambda: plots.plot_learning_curves([{"epoch": 1, "lr": 1.0}], "x"), ValueError, "must have columns 'train_...' or 'val_...', got ['lr']"),
    ("text", lambda: plots.plot_learning_curves([{"val_loss": "1"}], "x"), TypeError, "val_loss must be a number or None, got str"),
    ("epoch", lambda: plots.plot_learning_curves([{"epoch": 1.5, "val_loss": 1}], "x"), TypeError, "epoch must be an int, got float"),
    ("folder", lambda: plots.plot_learning_curves(rows_of(1), "/does/not/exist/x.png"), FileNotFoundError, "/does/not/exist"),
    ("floats", lambda: plots.plot_confusion_matrix(COUNTS / 2, NAMES, "x"), TypeError, "counts must be a NumPy array of an integer dtype"),
    ("shape", lambda: plots.plot_confusion_matrix(COUNTS[:2], NAMES, "x"), ValueError, "counts must have shape (C, C), C >= 1, got (2, 3)"),
    ("names", lambda: plots.plot_confusion_matrix(COUNTS, NAMES[:2], "x"), ValueError, "classes must be 3 names"),
    ("normalize", lambda: plots.plot_confusion_matrix(COUNTS, NAMES, "x", "true"), TypeError, "normalize must be a bool, got str"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

"""Curves of every kind and what is said about them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudl.train.fit_report import FitDiagnosis, diagnose
from tests.support.arrays import assert_refuses, bad_calls

KINDS = {
    "too_short", "diverged", "overfitting", "still_improving", "underfitting", "validation_better", "no_validation",
    "good",
}  # fmt: skip


def rows_of(**columns):
    """One row an epoch of columns of one length."""
    return [
        {"epoch": e, **dict(zip(columns, values, strict=True))}
        for e, values in enumerate(zip(*columns.values(), strict=True), 1)
    ]


def decay(epochs, rate=3.0, start=2.3, end=0.05):
    """An exponential that levels off."""
    return [end + (start - end) * math.exp(-e / rate) for e in range(epochs)]


def constant(epochs, value):
    return [value] * epochs


def kind_of(**columns):
    diagnosis = diagnose(rows_of(**columns))
    assert diagnosis.kind in KINDS
    assert diagnosis.text.endswith(".")
    return diagnosis.kind


GOOD = {
    "train_loss": decay(30), "val_loss": decay(30, end=0.1),
    "train_accuracy": constant(30, 0.99), "val_accuracy": constant(30, 0.98),
}  # fmt: skip


def test_good():
    diagnosis = diagnose(rows_of(**GOOD))
    assert diagnosis.kind == "good"
    assert diagnosis.suggestions == ()
    assert "accuracy is 99.0% on training and 98.0% on validation samples" in diagnosis.text
    assert kind_of(train_loss=decay(30), val_loss=decay(30, end=0.1)) == "good"
    assert str(diagnosis) == diagnosis.text


def test_overfitting_by_the_gap_of_accuracies():
    diagnosis = diagnose(rows_of(**GOOD | {"val_accuracy": constant(30, 0.94)}))
    assert diagnosis.kind == "overfitting"
    assert diagnosis.numbers["accuracy_gap"] == pytest.approx(0.05)
    assert not any(
        "stop early" in suggestion for suggestion in diagnosis.suggestions
    )  # the last epoch is the best
    for word in ("augment", "weight decay", "dropout", "smaller model"):
        assert any(word in suggestion for suggestion in diagnosis.suggestions), word
    assert kind_of(**GOOD | {"val_accuracy": constant(30, 0.941)}) == "good"


def test_overfitting_by_the_gap_of_losses():
    assert kind_of(train_loss=decay(30), val_loss=decay(30, end=1.3)) == "overfitting"
    assert kind_of(train_loss=decay(30), val_loss=decay(30, end=1.0)) == "good"


def test_overfitting_by_a_rising_validation_loss():
    rising = decay(10) + [decay(10)[-1] + 0.05 * e for e in range(1, 21)]
    diagnosis = diagnose(rows_of(**GOOD | {"val_loss": rising}))
    assert diagnosis.kind == "overfitting"
    assert "rose from 0.162 in epoch 10 to 1.162, while the training loss went on falling" in diagnosis.text
    assert any(
        "stop early; the validation loss was lowest in epoch 10" in suggestion
        for suggestion in diagnosis.suggestions
    )


def test_a_small_or_late_rise_of_the_validation_loss_is_noise():
    small = decay(20) + [decay(20)[-1] + 0.01 * e for e in range(1, 11)]
    assert kind_of(**GOOD | {"val_loss": small}) == "good"
    late = [*decay(29), 1.0]  # one bad epoch
    assert kind_of(**GOOD | {"val_loss": late}) == "good"
    flat = [0.5, 0.5005, 0.501]  # of a model that was trained before
    assert (
        kind_of(
            train_loss=[0.5, 0.499, 0.498], val_loss=flat, train_accuracy=[0.95] * 3, val_accuracy=[0.95] * 3
        )
        == "good"
    )


def test_a_rise_of_both_losses_is_not_overfitting():
    train = [*decay(20), *(decay(20)[-1] + 0.02 * e for e in range(1, 11))]
    validation = [*decay(20), *(decay(20)[-1] + 0.05 * e for e in range(1, 11))]
    assert kind_of(**GOOD | {"train_loss": train, "val_loss": validation}) != "overfitting"


def test_still_improving():
    line = [2.0 - 0.05 * e for e in range(20)]
    diagnosis = diagnose(rows_of(**GOOD | {"train_loss": decay(20), "val_loss": line} | {
        "train_accuracy": constant(20, 0.7), "val_accuracy": constant(20, 0.7)}))  # fmt: skip
    assert diagnosis.kind == "still_improving"
    assert diagnosis.suggestions[0] == "train for more epochs"
    assert diagnosis.numbers == pytest.approx({"recent_fall": 0.25, "fall": 0.95})
    assert kind_of(train_loss=line) == "still_improving"
    assert kind_of(train_loss=[3.0, 2.0, 1.0], val_loss=[3.0, 2.0, 1.0]) == "still_improving"


def test_underfitting_by_accuracy():
    columns = {"train_loss": decay(30, end=1.0), "val_loss": decay(30, end=1.0)}
    accuracies = {"train_accuracy": constant(30, 0.62), "val_accuracy": constant(30, 0.61)}
    diagnosis = diagnose(rows_of(**columns | accuracies))
    assert diagnosis.kind == "underfitting"
    assert "62.0%" in diagnosis.text
    for word in ("larger model", "learning rate", "more epochs", "weight decay"):
        assert any(word in suggestion for suggestion in diagnosis.suggestions), word


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_underfitting_of_a_loss_that_does_not_fall(noise):
    flat = [2.3026 + noise * (-1) ** e for e in range(12)]
    assert kind_of(train_loss=flat, val_loss=flat) == "underfitting"
    assert kind_of(train_loss=flat) == "underfitting"


def test_validation_better():
    better = {"train_accuracy": constant(30, 0.85), "val_accuracy": constant(30, 0.92)}
    diagnosis = diagnose(rows_of(**GOOD | better))
    assert diagnosis.kind == "validation_better"
    assert "Dropout and augmentation" in diagnosis.text
    assert kind_of(train_loss=decay(30, end=0.3), val_loss=decay(30, end=0.1)) == "validation_better"
    low = {"train_accuracy": constant(30, 0.5), "val_accuracy": constant(30, 0.6)}
    assert kind_of(**GOOD | low) == "underfitting"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["train_loss", "val_loss"])
def test_a_loss_that_is_not_finite_has_diverged(column, value):
    values = decay(30)
    values[12] = value
    diagnosis = diagnose(rows_of(**GOOD | {column: values}))
    assert diagnosis.kind == "diverged"
    assert diagnosis.numbers == {"epoch": 13}
    assert "epoch 13" in diagnosis.text
    assert "learning rate" in diagnosis.suggestions[0]
    assert diagnose([{"epoch": 1, "train_loss": value}]).kind == "diverged"


def test_a_training_loss_that_rises_has_diverged():
    assert kind_of(train_loss=[2.3, 2.4, 5.0, 9.0]) == "diverged"
    assert kind_of(train_loss=[*decay(10), 1.8]) == "diverged"
    assert kind_of(train_loss=[*decay(10), 0.9]) != "diverged"
    assert kind_of(train_loss=[2.30, 2.31, 2.29, 2.32]) == "underfitting"
    assert kind_of(train_loss=[-2.0, -3.0, -1.0]) == "diverged"
    assert kind_of(train_loss=[0.0, 0.0, 0.0]) == "no_validation"


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_too_short(epochs):
    rows = rows_of(train_loss=decay(epochs), val_loss=constant(epochs, 9.0))
    diagnosis = diagnose(rows)
    assert diagnosis.kind == "too_short"
    assert diagnosis.numbers == {"epochs": epochs}
    assert diagnosis.text.startswith(f"{epochs} epoch{'' if epochs == 1 else 's'} ")


def test_without_validation():
    diagnosis = diagnose(rows_of(train_loss=decay(30), train_accuracy=constant(30, 1.0)))
    assert diagnosis.kind == "no_validation"
    assert "validation" in diagnosis.suggestions[0]


def test_gaps_are_left_out():
    rows = rows_of(**GOOD)
    for row in rows[::2]:
        del row["val_loss"]
        row["val_accuracy"] = None
        row["train_accuracy"] = math.nan
    assert diagnose(rows).kind == "good"
    one = [{**row, "val_loss": None} for row in rows[:-1]] + rows[-1:]
    assert diagnose(one).kind == "good"


def test_rows_without_epochs_are_counted_from_one_and_numpy_numbers_are_numbers():
    rows = [{"train_loss": np.float32(value), "seconds": "fast"} for value in (1.0, 0.5, math.nan)]
    assert diagnose(rows).numbers == {"epoch": 3}


def test_prints_as_text_and_list():
    shown = FitDiagnosis("good", "Well.", ("this", "that"), {})
    assert str(shown) == "Well.\n  - this\n  - that"


losses = st.one_of(st.floats(-10, 10), st.none(), st.just(math.nan))
shares = st.one_of(st.floats(0, 1), st.none())


@given(
    st.lists(
        st.fixed_dictionaries(
            {"train_loss": st.floats(-10, 10)},
            optional={"val_loss": losses, "train_accuracy": shares, "val_accuracy": shares},
        ),
        max_size=9,
    )
)
def test_every_history_gets_one_of_the_kinds_and_stays_as_it_is(rows):
    before = repr(rows)
    diagnosis = diagnose(rows)
    assert diagnosis.kind in KINDS
    assert (diagnosis.suggestions == ()) == (diagnosis.kind == "good")
    assert repr(rows) == before
    assert diagnose(rows) == diagnosis


@bad_calls(
    ("no training", lambda: diagnose([{"val_loss": 1.0}]), ValueError, "rows must have 'train_loss'"),
    ("list", lambda: diagnose([[1.0]]), TypeError, "rows must hold mappings, got list"),
    ("text", lambda: diagnose([{"train_loss": "1.0"}]), TypeError, "train_loss must be a number or None, got str"),
    ("bool", lambda: diagnose([{"train_loss": 1.0, "val_accuracy": True}]), TypeError, "val_accuracy must be a number or None, got bool"),
    ("epoch", lambda: diagnose([{"epoch": "1", "train_loss": 1.0}]), TypeError, "epoch must be an int, got str"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

"""What the curves of a training run say about it: over- or underfitting, divergence, too short; and what to try.

The thresholds below are judgements, each with its reason beside it. A diagnosis gives the numbers that it compared,
so that a reader can judge anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from gpudl.ops import _arrays

# Two differences are the least that show a direction.
FEWEST_EPOCHS = 3
# Above the first epoch's loss by a tenth: noise of a plateau is a few hundredths.
DIVERGED_ABOVE_START = 0.1
# More than half of what was gained is lost again at the end; an unlucky batch costs an epoch less.
DIVERGED_GIVEN_BACK = 0.5
# Accuracy on 1,000 validation samples has a standard deviation of about one point at 90 %: five are no accident.
ACCURACY_GAP = 0.05
# Of the fall of the validation loss. Not of its lowest value: near zero any noise is a large part of that.
LOSS_RISE = 0.1
# The loss has to have risen since at least two epochs, one bad epoch is noise.
EPOCHS_SINCE_BEST = 2
# Without accuracies: the gap as a share of what training gained. Where the gap is half, half of what was learned holds
# for the training samples alone.
LOSS_GAP = 0.5
# The last quarter of the run brought a twentieth of all that was gained: one more run as long would be seen.
STILL_IMPROVING = 0.05
# Less than a hundredth of the first epoch's loss is noise, no fall.
SMALLEST_FALL = 0.01
# A network that can fit its data passes this on what it has seen, unless labels are wrong or augmentation is heavy.
FITTED_ACCURACY = 0.9
# Without accuracies: less than a tenth of the first epoch's loss learned is next to nothing.
FITTED_FALL = 0.1
# Twice the standard deviation named above; better validation than this has a cause.
VALIDATION_BETTER = 0.02


@dataclass(frozen=True)
class FitDiagnosis:
    """What `diagnose` found; `print` shows it.

    kind : "too_short", "diverged", "overfitting", "still_improving", "underfitting", "validation_better",
        "no_validation" or "good".
    text : the finding in words. suggestions : what to try, the first first. numbers : what was compared.
    """

    kind: str
    text: str
    suggestions: tuple[str, ...]
    numbers: dict[str, float]

    def __str__(self) -> str:
        return "\n".join([self.text, *(f"  - {suggestion}" for suggestion in self.suggestions)])


@dataclass(frozen=True)
class _Curve:
    """The values of one column, gaps left out, and the epochs they are of."""

    epochs: list[int]
    values: list[float]

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def first(self) -> float:
        return self.values[0]

    @property
    def last(self) -> float:
        return self.values[-1]

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def lowest_epoch(self) -> int:
        return self.epochs[self.values.index(self.lowest)]

    @property
    def fall(self) -> float:
        """From the first value to the lowest; 0 where that is within the noise of a plateau."""
        fall = self.first - self.lowest
        return fall if fall >= SMALLEST_FALL * abs(self.first) else 0.0

    def recent_fall(self) -> float:
        """By how much the mean of the last quarter is below the mean of the quarter before."""
        length = max(1, len(self.values) // 4)
        recent, before = self.values[-length:], self.values[-2 * length : -length]
        return sum(before) / length - sum(recent) / length


def diagnose(rows: Sequence[Mapping[str, Any]]) -> FitDiagnosis:
    """Say what the curves of a run show, and what to try.

    rows : one mapping an epoch, in order, with "epoch" and "train_loss", and where there are "val_loss",
        "train_accuracy" and "val_accuracy" (shares, in [0, 1]); other keys are not looked at. None or a missing key
        is a gap. A loss that is NaN or infinite is one that diverged; such an accuracy is a gap.

    A pure function. Raises TypeError and ValueError for rows of another form.
    """
    curves = {
        name: _curve(rows, name) for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    }
    train, validation = curves["train_loss"], curves["val_loss"]
    if rows and not train:
        raise ValueError("diagnose: rows must have 'train_loss', got none in any of them")
    for finding in (_broken, _too_short, _diverged, _overfitting, _still_improving, _underfitting):
        diagnosis = finding(**curves)
        if diagnosis is not None:
            return diagnosis
    if not validation:
        return FitDiagnosis(
            "no_validation",
            "Training went well as far as its own loss shows. Without validation data nobody can say whether it "
            "holds for samples that the model has not seen.",
            ("keep a part of the data for validation",),
            {"train_loss": train.last},
        )
    return _validation_better(**curves) or _good(**curves)


def _curve(rows: Sequence[Mapping[str, Any]], name: str) -> _Curve:
    epochs, values = [], []
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"diagnose: rows must hold mappings, got {type(row).__name__}")
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"diagnose: {name} must be a number or None, got {type(value).__name__}")
        if math.isfinite(value) or name.endswith("loss"):
            epochs.append(_arrays.integer("diagnose", "epoch", row.get("epoch", i + 1), minimum=0))
            values.append(float(value))
    return _Curve(epochs, values)


def _broken(train_loss: _Curve, val_loss: _Curve, **_: _Curve) -> FitDiagnosis | None:
    for name, curve in (("training", train_loss), ("validation", val_loss)):
        for epoch, value in zip(curve.epochs, curve.values, strict=True):
            if not math.isfinite(value):
                return _as_diverged(
                    f"The {name} loss was {value} in epoch {epoch}: the run diverged.", {"epoch": epoch}
                )
    return None


def _too_short(train_loss: _Curve, **_: _Curve) -> FitDiagnosis | None:
    epochs = len(train_loss.values)
    if epochs >= FEWEST_EPOCHS:
        return None
    return FitDiagnosis(
        "too_short",
        f"{epochs} {'epoch is' if epochs == 1 else 'epochs are'} too few to judge; it takes {FEWEST_EPOCHS}.",
        ("train for more epochs",),
        {"epochs": epochs},
    )


def _diverged(train_loss: _Curve, **_: _Curve) -> FitDiagnosis | None:
    first, last, lowest = train_loss.first, train_loss.last, train_loss.lowest
    numbers = {"first_train_loss": first, "last_train_loss": last, "lowest_train_loss": lowest}
    rise = last - first
    if rise > DIVERGED_ABOVE_START * abs(first) and rise > 0:
        text = f"The training loss ended at {last:.4g}, above the {first:.4g} of the first epoch: the run diverged."
        return _as_diverged(text, numbers)
    fall = train_loss.fall
    if fall > DIVERGED_ABOVE_START * abs(first) and last - lowest > DIVERGED_GIVEN_BACK * fall:
        text = (
            f"The training loss fell from {first:.4g} to {lowest:.4g} in epoch {train_loss.lowest_epoch} and rose to "
            f"{last:.4g} again: the run diverged."
        )
        return _as_diverged(text, numbers)
    return None


def _as_diverged(text: str, numbers: dict[str, float]) -> FitDiagnosis:
    suggestions = (
        "lower the learning rate, by a factor of 3 to 10",
        "clip the norm of the gradient",
        "warm the learning rate up over the first epochs",
        "look for NaN, infinite or unscaled values in the data",
    )
    return FitDiagnosis("diverged", text, suggestions, numbers)


def _overfitting(
    train_loss: _Curve, val_loss: _Curve, train_accuracy: _Curve, val_accuracy: _Curve
) -> FitDiagnosis | None:
    if not val_loss:
        return None
    reasons, numbers = [], {}
    if train_accuracy and val_accuracy:
        gap = train_accuracy.last - val_accuracy.last
        numbers["accuracy_gap"] = gap
        if gap >= ACCURACY_GAP:
            reasons.append(
                f"accuracy is {train_accuracy.last:.1%} on training and {val_accuracy.last:.1%} on validation samples"
            )
    else:
        gap = val_loss.last - train_loss.last
        numbers["loss_gap"] = gap
        if train_loss.fall and gap > LOSS_GAP * train_loss.fall:
            reasons.append(
                f"the loss is {train_loss.last:.4g} on training and {val_loss.last:.4g} on validation samples"
            )
    if _rises(val_loss, train_loss):
        numbers |= {"lowest_val_loss": val_loss.lowest, "last_val_loss": val_loss.last}
        reasons.append(
            f"the validation loss rose from {val_loss.lowest:.4g} in epoch {val_loss.lowest_epoch} to "
            f"{val_loss.last:.4g}, while the training loss went on falling"
        )
    if not reasons:
        return None
    suggestions = ["augment the training images", "raise weight decay", "add dropout"]
    if val_loss.lowest < val_loss.last:
        suggestions.append(f"stop early; the validation loss was lowest in epoch {val_loss.lowest_epoch}")
    suggestions.append("take a smaller model, or more data")
    return FitDiagnosis("overfitting", f"Overfitting: {'; '.join(reasons)}.", tuple(suggestions), numbers)


def _rises(val_loss: _Curve, train_loss: _Curve) -> bool:
    """Whether the validation loss has turned upwards for good while the training loss has not."""
    best = val_loss.lowest_epoch
    since = [
        value for epoch, value in zip(train_loss.epochs, train_loss.values, strict=True) if epoch <= best
    ]
    return (
        len(val_loss.values) - 1 - val_loss.values.index(val_loss.lowest) >= EPOCHS_SINCE_BEST
        and val_loss.last - val_loss.lowest
        > max(LOSS_RISE * val_loss.fall, SMALLEST_FALL * abs(val_loss.first))
        and bool(since)
        and train_loss.last < since[-1]
    )


def _still_improving(train_loss: _Curve, val_loss: _Curve, **_: _Curve) -> FitDiagnosis | None:
    name, curve = ("validation", val_loss) if val_loss else ("training", train_loss)
    if len(curve.values) < 2 or not curve.fall:
        return None
    recent = curve.recent_fall()
    if recent < STILL_IMPROVING * curve.fall:
        return None
    return FitDiagnosis(
        "still_improving",
        f"The {name} loss was still falling at the end: its last quarter brought {recent:.4g} of the "
        f"{curve.fall:.4g} gained in all.",
        (
            "train for more epochs",
            "raise the learning rate",
            "let the schedule of the learning rate last longer",
        ),
        {"recent_fall": recent, "fall": curve.fall},
    )


def _underfitting(
    train_loss: _Curve, train_accuracy: _Curve, val_accuracy: _Curve, **_: _Curve
) -> FitDiagnosis | None:
    if train_accuracy:
        # validation is above training where dropout or augmentation hold training down
        reached = max(curve.last for curve in (train_accuracy, val_accuracy) if curve)
        fitted = reached >= FITTED_ACCURACY
        numbers = {"train_accuracy": train_accuracy.last}
        what = f"accuracy on the training samples themselves stands at {train_accuracy.last:.1%}"
    else:
        share = train_loss.fall / abs(train_loss.first) if train_loss.first else 1.0
        fitted = share >= FITTED_FALL
        numbers = {"first_train_loss": train_loss.first, "lowest_train_loss": train_loss.lowest}
        what = f"the training loss went from {train_loss.first:.4g} to {train_loss.lowest:.4g} and no further"
    if fitted:
        return None
    suggestions = (
        "take a larger model",
        "raise the learning rate, or lower it where the loss jumps up and down",
        "train for more epochs",
        "take back weight decay, dropout and augmentation",
        "look for wrong labels, and at the scale of the inputs",
    )
    return FitDiagnosis("underfitting", f"Underfitting: {what}.", suggestions, numbers)


def _validation_better(
    train_loss: _Curve, val_loss: _Curve, train_accuracy: _Curve, val_accuracy: _Curve
) -> FitDiagnosis | None:
    if train_accuracy and val_accuracy:
        lead = val_accuracy.last - train_accuracy.last
        numbers = {"accuracy_gap": -lead}
        better = lead >= VALIDATION_BETTER
        what = f"accuracy is {val_accuracy.last:.1%} on validation and {train_accuracy.last:.1%} on training samples"
    else:
        lead = train_loss.last - val_loss.last
        numbers = {"loss_gap": -lead}
        better = bool(train_loss.fall) and lead > VALIDATION_BETTER * train_loss.fall
        what = f"the loss is {val_loss.last:.4g} on validation and {train_loss.last:.4g} on training samples"
    if not better:
        return None
    return FitDiagnosis(
        "validation_better",
        f"Validation looks better than training: {what}. Dropout and augmentation make training samples harder, and "
        "the training figure is a mean over the epoch while the model still improved, so this is usual with them.",
        (
            "without dropout and augmentation, look for validation samples that are also training samples",
            "take less dropout or augmentation, or a larger model, if training should get further",
        ),
        numbers,
    )


def _good(train_loss: _Curve, val_loss: _Curve, train_accuracy: _Curve, val_accuracy: _Curve) -> FitDiagnosis:
    numbers = {"train_loss": train_loss.last, "val_loss": val_loss.last}
    what = f"the loss is {train_loss.last:.4g} on training and {val_loss.last:.4g} on validation samples"
    if train_accuracy and val_accuracy:
        numbers |= {"train_accuracy": train_accuracy.last, "val_accuracy": val_accuracy.last}
        what = f"accuracy is {train_accuracy.last:.1%} on training and {val_accuracy.last:.1%} on validation samples"
    return FitDiagnosis(
        "good", f"No sign of over- or underfitting: {what}, and the curves have levelled off.", (), numbers
    )

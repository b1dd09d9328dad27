"""The callbacks: when they are called, and what each does."""

import copy
import io
import os

import numpy as np
import pytest

from gpudl import optim, train
from tests.support.arrays import assert_refuses
from tests.support.small_runs import Keep, loader, problem, small_trainer
from tests.support.training import bits


class Note(train.Callback):
    """Remembers what was called."""

    def __init__(self):
        self.calls = []

    def on_fit_begin(self, trainer):
        self.calls.append("begin")

    def on_step_end(self, trainer):
        self.calls.append(f"step {trainer.step}")

    def on_epoch_end(self, trainer, row):
        self.calls.append(f"epoch {row['epoch']}")

    def on_checkpoint(self, trainer, reason):
        self.calls.append(reason)

    def on_fit_end(self, trainer):
        self.calls.append("end")

    def on_close(self, trainer):
        self.calls.append("close")


def test_history_files(tmp_path):
    import csv
    import json

    x, y = problem()
    trainer = small_trainer([train.History(tmp_path / "run")])
    history = trainer.fit(loader(x, y), loader(x, y), epochs=3)
    assert history is trainer.callbacks[0]
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").read_text().splitlines()))
    assert [float(row["train_loss"]) for row in rows] == history["train_loss"]
    assert json.loads((tmp_path / "run" / "history.json").read_text()) == history.rows
    assert "val_loss" in history
    assert "val_accuracy" not in history
    assert list(history) == ["epoch", "step", "lr", "train_loss", "val_loss", "seconds"]
    assert dict(history)["val_loss"] == history["val_loss"]
    history.rows[0]["train_loss"] = float("nan")
    assert json.loads(history.to_json())[0]["train_loss"] is None
    assert_refuses(
        lambda: history["val_accuracy"], KeyError, "no column 'val_accuracy'; there are epoch, step, lr"
    )


def test_when_callbacks_are_called():
    x, y = problem(32)
    note = Note()
    small_trainer([note]).fit(loader(x, y), epochs=2)
    assert note.calls == [
        "begin", "step 1", "step", "step 2", "step", "epoch 1", "epoch",
        "step 3", "step", "step 4", "step", "epoch 2", "epoch", "end", "close",
    ]  # fmt: skip


def test_callbacks_of_an_iterator_are_called():
    x, y = problem(16)
    note, history = Note(), train.History()
    trainer = small_trainer(iter([note, history]))
    assert trainer.fit(loader(x, y), epochs=1) is history
    assert note.calls[0] == "begin"


def test_close_is_called_after_an_error():
    x, y = problem(32)
    note = Note()
    trainer = small_trainer([note])
    y[20] = 7
    with pytest.raises(ValueError, match="target"):
        trainer.fit(loader(x, y), epochs=1)
    assert note.calls == ["begin", "step 1", "step", "close"]
    assert trainer.model.input_requires_grad


def test_close_is_called_after_an_error_in_another_close():
    class Breaks(train.Callback):
        def on_close(self, trainer):
            raise OSError("no")

    x, y = problem(16)
    notes = Note(), Note()
    with pytest.raises(OSError, match="no"):
        small_trainer([notes[0], Breaks(), notes[1]]).fit(loader(x, y), epochs=1)
    assert [note.calls[-1] for note in notes] == ["close", "close"]


def give_values(trainer, column, values):
    """Run callbacks on rows with these values, and say after which epoch the run was stopped."""
    for epoch, value in enumerate(values, 1):
        trainer._call("on_epoch_end", {"epoch": epoch, column: value, "train_loss": 0.0})
        if trainer.stop_reason is not None:
            return epoch
    return None


@pytest.mark.parametrize(
    ("options", "values", "stops_after"),
    [
        ({"patience": 2}, [3, 2, 2, 2, 1], 4),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1], 6),
        ({"patience": 0}, [3, 2, 2, 2], 3),
        ({"patience": 1}, [3, 2, 2, 2], 3),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.4, 2.1, 2.0], 5),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 3], 4),
        ({"patience": 1, "monitor": "val_accuracy"}, [1, 2, 3, 3], 4),
        ({"patience": 1, "monitor": "val_accuracy", "mode": "min"}, [1, 2], 2),
        ({"patience": 2}, [3, float("nan"), float("nan"), 1], 3),
        ({"patience": 1, "start_from_epoch": 2}, [1, 2, 3, 4], 4),
        ({"patience": 9}, [3, 2, 2, 2], None),
    ],
)
def test_early_stopping(options, values, stops_after):
    stopping = train.EarlyStopping(**options)
    assert give_values(small_trainer([stopping]), options.get("monitor", "val_loss"), values) == stops_after


def test_early_stopping_restores_the_best_epoch():
    x, y = problem(32)
    seen = []

    class Spy(train.Callback):
        def on_epoch_end(self, trainer, row):
            seen.append(copy.deepcopy(trainer.model.state_dict()))

    # Training on other labels than those of the validation: the loss there rises sooner or later.
    trainer = small_trainer([Spy(), train.EarlyStopping(patience=3, restore_best=True)], lr=1.0)
    history = trainer.fit(loader(x, y), loader(x, (y + 1) % 3), epochs=50)
    best = int(np.argmin(history["val_loss"]))
    assert len(history) == best + 4 < 50
    assert bits(trainer.model.state_dict()) == bits(seen[best])
    assert (
        trainer.stop_reason
        == f"val_loss has not improved since epoch {best + 1} ({history['val_loss'][best]}), patience 3"
    )


def test_weights_are_not_restored_where_a_resumed_run_does_not_want_them():
    x, y = problem(32)
    loaders = loader(x, y), loader(x, (y + 1) % 3)
    trainer = small_trainer([train.EarlyStopping(patience=9, restore_best=True)], lr=1.0)
    states = []
    trainer.callbacks[1].on_checkpoint = lambda trainer, reason: states.append(
        copy.deepcopy(trainer.state_dict())
    )
    trainer.fit(*loaders, epochs=4)
    assert trainer.callbacks[1].best_epoch < 4
    other = small_trainer([train.EarlyStopping(patience=9)])
    other.load_state_dict(states[-1])
    other.fit(*loaders, epochs=4)
    assert bits(other.model.state_dict()) == bits(states[-1]["model"])


def test_terminate_on_nan(tmp_path):
    x, y = problem(64)
    x[40] = np.nan
    trainer = small_trainer([train.TerminateOnNaN(every=1), train.ModelCheckpoint(tmp_path, every_steps=1)])
    trainer.fit(loader(x, y), epochs=3)
    assert trainer.stop_reason.startswith("the training loss is nan at step 3")
    assert trainer.step == 3
    newest = trainer.resume(tmp_path)
    assert newest.name == "last-epoch-0000-step-00000002"
    assert all(np.isfinite(array).all() for array in trainer.model.state_dict().values())
    late = small_trainer([train.TerminateOnNaN(every=100)])
    late.fit(loader(x, y), epochs=3)
    assert (late.step, len(late.history)) == (4, 1)


def test_schedules_per_step_and_per_epoch():
    x, y = problem(32)
    trainer = small_trainer(lr=1.0)
    trainer.callbacks.append(train.LRSchedule(optim.lr_scheduler.StepLR(trainer.optimizer, 1, 0.5)))
    assert trainer.fit(loader(x, y), epochs=3)["lr"] == [1.0, 0.5, 0.25]
    trainer = small_trainer(lr=1.0)
    trainer.callbacks.append(
        train.LRSchedule(optim.lr_scheduler.StepLR(trainer.optimizer, 1, 0.5), interval="step")
    )
    assert trainer.fit(loader(x, y), epochs=3)["lr"] == [0.25, 0.0625, 0.015625]
    trainer = small_trainer(lr=1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(trainer.optimizer, mode="max", factor=0.1, patience=0)
    trainer.callbacks.append(train.LRSchedule(plateau, monitor="epoch"))
    give_values(trainer, "epoch", [1])
    assert trainer.optimizer.param_groups[0]["lr"] == 1.0
    trainer._call("on_epoch_end", {"epoch": 1, "train_loss": 0.0})
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_which_checkpoints_stay(tmp_path):
    x, y = problem(48)
    saving = train.ModelCheckpoint(tmp_path, keep_last=3, monitor="train_loss", every_steps=2)
    small_trainer([saving]).fit(loader(x, y), epochs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-epoch-0003-step-00000009",
        "last-epoch-0002-step-00000006", "last-epoch-0002-step-00000008", "last-epoch-0003-step-00000009",
    ]  # fmt: skip
    worst = train.ModelCheckpoint(tmp_path / "worst", keep_last=1, monitor="train_loss", mode="max")
    small_trainer([worst]).fit(loader(x, y), epochs=3)
    assert sorted(path.name for path in (tmp_path / "worst").iterdir()) == [
        "best-epoch-0001-step-00000003", "last-epoch-0003-step-00000009",
    ]  # fmt: skip


def test_a_checkpoint_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    x, y = problem(32)
    trainer = small_trainer([train.ModelCheckpoint(tmp_path)])
    trainer.fit(loader(x, y), epochs=1)
    fsync = os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="checkpoint not written: .*No space left"):
        trainer.fit(loader(x, y), epochs=2)
    monkeypatch.setattr(os, "fsync", fsync)
    assert [path.name for path in tmp_path.iterdir()] == ["last-epoch-0001-step-00000002"]
    trainer.fit(loader(x, y), epochs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "last-epoch-0001-step-00000002", "last-epoch-0003-step-00000006",
    ]  # fmt: skip


@pytest.mark.parametrize("keep", [1, 2, 4, 5])
def test_as_many_checkpoints_stay_as_asked_for(tmp_path, keep):
    x, y = problem(16)
    small_trainer([train.ModelCheckpoint(tmp_path, keep_last=keep)]).fit(loader(x, y), epochs=6)
    assert sorted(int(path.name[11:15]) for path in tmp_path.iterdir()) == list(range(7 - keep, 7))


def test_a_callback_whose_state_is_empty_at_first_resumes():
    class Remembers(train.Callback):
        def __init__(self):
            self.seen = {}

        def on_epoch_end(self, trainer, row):
            self.seen[f"epoch {row['epoch']}"] = row["train_loss"]

        def state_dict(self):
            return dict(self.seen)

        def load_state_dict(self, state):
            self.seen = dict(state)

    x, y = problem(16)
    trainer = small_trainer([Remembers()])
    trainer.fit(loader(x, y), epochs=1)
    other = small_trainer([Remembers()])
    other.load_state_dict(copy.deepcopy(trainer.state_dict()))
    assert other.callbacks[1].seen == {"epoch 1": trainer.history["train_loss"][0]}


def test_numpy_numbers_in_a_row_go_to_files_and_back(tmp_path):
    class Adds(train.Callback):
        def on_epoch_end(self, trainer, row):
            row["extra"] = np.float32(0.5)

    x, y = problem(16)
    trainer = small_trainer(
        [Adds(), train.History(tmp_path / "run"), train.ModelCheckpoint(tmp_path / "kept")]
    )
    trainer.fit(loader(x, y), epochs=1)
    assert '"extra": 0.5' in (tmp_path / "run" / "history.json").read_text()
    other = small_trainer([Adds(), train.History(tmp_path / "run"), train.ModelCheckpoint(tmp_path / "kept")])
    other.resume(tmp_path / "kept")
    assert other.history.rows == trainer.history.rows


def test_the_history_is_whole_when_the_disk_has_room_again(tmp_path, monkeypatch):
    """Also where the last epoch could not be written: going on with the run, which is over, writes it."""
    x, y = problem(16)
    trainer = small_trainer([train.History(tmp_path)])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.warns(UserWarning, match="history not written: .*No space left"):
            trainer.fit(loader(x, y), epochs=1)
    assert list(tmp_path.iterdir()) == []
    trainer.fit(loader(x, y), epochs=1)
    assert (tmp_path / "history.csv").read_text() == trainer.history.to_csv()


def test_a_resumed_run_knows_which_checkpoint_was_best(tmp_path):
    saving = [
        train.ModelCheckpoint(tmp_path, keep_last=1, monitor="train_loss", mode="max") for _ in range(2)
    ]
    x, y = problem(16)
    small_trainer(saving[:1]).fit(loader(x, y), epochs=2)
    (tmp_path / ".writing-last-epoch-0003-step-00000003").mkdir()
    (tmp_path / ".removing-last-epoch-0001-step-00000001").mkdir()
    trainer = small_trainer(saving[1:])
    trainer.resume(tmp_path)
    trainer.fit(loader(x, y), epochs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-epoch-0001-step-00000001", "last-epoch-0003-step-00000003",
    ]  # fmt: skip


def test_the_bar_of_a_resumed_run_starts_where_the_run_is():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    x, y = problem(64)
    keep, bar = Keep(), train.ProgressBar(Terminal())
    small_trainer([keep]).fit(loader(x, y, 8), epochs=1)
    trainer = small_trainer([bar], accumulate=2)
    trainer.load_state_dict(keep.states[3][1])
    trainer.steps_per_epoch, trainer.epochs = 4, 1
    bar.on_fit_begin(trainer)
    (task,) = bar._progress.tasks
    bar.on_close(trainer)
    assert (task.completed, task.total) == (2, 4)

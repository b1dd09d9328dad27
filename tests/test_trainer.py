"""The training loop: what it computes, its callbacks, and runs that go on bit for bit."""

import copy
import io
import os
import signal

import numpy as np
import pytest

import gpudl
from gpudl import data, metrics, nn, optim, train
from tests.support.arrays import assert_refuses, bad_calls
from tests.support.training import EPOCHS, bits, end_of, make_loaders, make_trainer


def problem(count=64, features=5, classes=3, seed=0):
    """Vectors and classes, and the loader of them in their order."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((count, features)).astype(np.float32), rng.integers(0, classes, count)
    return x, y


def loader(x, y, batch_size=16, **options):
    return data.DataLoader(data.ArrayDataset(x, y), batch_size=batch_size, **options)


def small_model(seed=0):
    gpudl.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


def small_trainer(callbacks=(), lr=0.1, **options):
    model = small_model()
    return train.Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr), callbacks=callbacks, **options
    )


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


# ---- what it computes


def test_fit_is_the_loop_one_would_write():
    x, y = problem(40)
    trainer = small_trainer(metrics={"accuracy": metrics.Accuracy()})
    validation = loader(x[:10], y[:10])
    history = trainer.fit(loader(x, y), validation, epochs=2)
    model, criterion = small_model(), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), 0.1)
    for epoch in range(2):
        total = correct = 0.0
        for first in range(0, 40, 16):
            batch, target = x[first : first + 16], y[first : first + 16]
            prediction = model(batch)
            total += float(criterion(prediction, target)) * len(batch)
            correct += np.count_nonzero(prediction.argmax(1) == target)
            model.backward(criterion.backward())
            optimizer.step()
            optimizer.zero_grad()
        assert history["train_loss"][epoch] == pytest.approx(total / 40, rel=1e-12)
        assert history["train_accuracy"][epoch] == correct / 40
        scores = model(x[:10])
        assert history["val_loss"][epoch] == pytest.approx(float(criterion(scores, y[:10])), rel=1e-12)
        assert history["val_accuracy"][epoch] == np.mean(scores.argmax(1) == y[:10])
    assert bits(model.state_dict()) == bits(trainer.model.state_dict())
    assert (trainer.epoch, trainer.step, len(history)) == (2, 6, 2)
    assert [row["step"] for row in history.rows] == [3, 6]
    assert list(history.rows[0]) == [
        "epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds",
    ]  # fmt: skip


@pytest.mark.parametrize(("accumulate", "batch"), [(2, 8), (4, 4), (3, 8)])
def test_accumulated_gradients_are_those_of_the_batches_together(accumulate, batch):
    x, y = problem(40 - 40 % batch)
    trainer = small_trainer(accumulate=accumulate)
    trainer.fit(loader(x, y, batch), epochs=1)
    other = small_trainer()
    other.fit(loader(x, y, batch * accumulate), epochs=1)
    assert trainer.step == other.step == -(-len(x) // (batch * accumulate))
    for name, array in trainer.model.state_dict().items():
        # Sums in another order: a few roundings of float32 numbers of about 1.
        assert np.allclose(array, other.model.state_dict()[name], rtol=0, atol=1e-6)
    assert trainer.history["train_loss"][0] == pytest.approx(other.history["train_loss"][0], rel=1e-6)


@pytest.mark.parametrize("option", ["clip_grad_norm", "clip_grad_value"])
def test_gradients_are_clipped(option):
    x, y = problem(16)
    trainer = small_trainer(lr=1.0, **{option: 0.01})
    before = copy.deepcopy(trainer.model.state_dict())
    trainer.fit(loader(x, y), epochs=1)
    moved = [trainer.model.state_dict()[name] - before[name] for name in before]
    size = (
        np.sqrt(sum((m**2).sum() for m in moved))
        if option == "clip_grad_norm"
        else max(np.abs(m).max() for m in moved)
    )
    assert size == pytest.approx(0.01, rel=1e-3)


def test_evaluate_and_predict_leave_everything_as_it_was():
    _, validation = make_loaders()
    trainer = make_trainer()
    trainer.model[4].eval()
    before = bits(trainer.state_dict()["model"])
    result = trainer.evaluate(validation)
    assert list(result) == ["loss", "accuracy", "f1"]
    scores = trainer.predict(validation)
    assert scores.shape == (64, 10)
    inputs = np.concatenate([x for x, _ in validation])
    for size in (64, 40, 7, 1):
        assert np.allclose(trainer.predict(inputs, batch_size=size), scores, atol=1e-5)
    assert np.array_equal(trainer.predict([x for x, _ in validation]), scores)
    labels = np.concatenate([y for _, y in validation])
    assert result["accuracy"] == np.mean(scores.argmax(1) == labels)
    assert bits(trainer.state_dict()["model"]) == before
    assert [m.training for m in trainer.model.modules()].count(False) == 1
    assert_refuses(lambda: trainer.model.backward(scores), RuntimeError, "backward without a forward")
    assert trainer.predict(inputs[:0]).shape == (0, 10)


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
    history.rows[0]["train_loss"] = float("nan")
    assert json.loads(history.to_json())[0]["train_loss"] is None
    assert_refuses(
        lambda: history["val_accuracy"], KeyError, "no column 'val_accuracy'; there are epoch, step, lr"
    )


# ---- callbacks


def test_when_callbacks_are_called():
    x, y = problem(32)
    note = Note()
    small_trainer([note]).fit(loader(x, y), epochs=2)
    assert note.calls == [
        "begin", "step 1", "step", "step 2", "step", "epoch 1", "epoch",
        "step 3", "step", "step 4", "step", "epoch 2", "epoch", "end", "close",
    ]  # fmt: skip


def test_close_is_called_after_an_error():
    x, y = problem(32)
    note = Note()
    trainer = small_trainer([note])
    y[20] = 7
    with pytest.raises(ValueError, match="target"):
        trainer.fit(loader(x, y), epochs=1)
    assert note.calls == ["begin", "step 1", "step", "close"]
    assert trainer.model.input_requires_grad


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


# ---- interrupts


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_step_and_saves(tmp_path, signum):
    x, y = problem(64)

    class Press(train.Callback):
        def on_step_end(self, trainer):
            if trainer.step == 3:
                os.kill(os.getpid(), signum)

    before = signal.getsignal(signum)
    trainer = small_trainer([Press(), train.ModelCheckpoint(tmp_path)])
    with pytest.raises(train.Interrupted) as caught:
        trainer.fit(loader(x, y), epochs=2)
    assert caught.value.signum == signum
    assert signal.getsignal(signum) is before
    assert [path.name for path in tmp_path.iterdir()] == ["last-epoch-0000-step-00000003"]
    whole = small_trainer()
    whole.fit(loader(x, y), epochs=2)
    trainer = small_trainer([train.ModelCheckpoint(tmp_path)])
    trainer.resume(tmp_path)
    trainer.fit(loader(x, y), epochs=2)
    assert bits(end_of(trainer)["model"]) == bits(end_of(whole)["model"])


def test_an_interrupt_in_validation_repeats_the_validation(tmp_path):
    x, y = problem(64)

    class Pressing(data.ArrayDataset):
        def __getitems__(self, indices):
            if pressing[0]:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitems__(indices)

    pressing = [True]
    validation = data.DataLoader(Pressing(x, y), batch_size=16)
    trainer = small_trainer([train.ModelCheckpoint(tmp_path)])
    with pytest.raises(train.Interrupted):
        trainer.fit(loader(x, y), validation, epochs=2)
    pressing[0] = False
    trainer = small_trainer([train.ModelCheckpoint(tmp_path)])
    assert trainer.resume(tmp_path).name == "last-epoch-0000-step-00000004"
    whole = small_trainer()
    assert (
        trainer.fit(loader(x, y), validation, epochs=2)["val_loss"]
        == whole.fit(loader(x, y), validation, epochs=2)["val_loss"]
    )
    assert bits(end_of(trainer)["model"]) == bits(end_of(whole)["model"])


def test_the_second_interrupt_is_at_once():
    x, y = problem(64)

    class Press(train.Callback):
        def on_step_end(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        small_trainer([Press()]).fit(loader(x, y), epochs=1)
    assert not isinstance(caught.value, train.Interrupted)


# ---- resuming


class Keep(train.Callback):
    """A copy of the state at every point where it may be saved."""

    def __init__(self):
        self.states = []

    def on_checkpoint(self, trainer, reason):
        self.states.append((f"{trainer.epoch}-{trainer.batch}-{reason}", copy.deepcopy(trainer.state_dict())))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_from_every_point_a_run_ends_with_the_same_bits(tmp_path, accumulate):
    keep = Keep()
    trainer = make_trainer([keep], accumulate=accumulate)
    trainer.fit(*make_loaders(), epochs=EPOCHS)
    expected = bits(end_of(trainer))
    points = len(keep.states)
    assert points == EPOCHS * (1 + -(-11 // accumulate))
    for name, state in keep.states[:: 1 if accumulate == 2 else 3]:
        # Through the files, so that what they cannot hold would show.
        state = train.load_checkpoint(train.save_checkpoint(tmp_path / name, state))
        other = make_trainer(accumulate=accumulate)
        gpudl.manual_seed(77)
        other.load_state_dict(state)
        other.fit(*make_loaders(), epochs=EPOCHS)
        assert bits(end_of(other)) == expected, name


def test_the_number_and_kind_of_workers_change_nothing():
    ends = []
    for number, kind in ((0, "threads"), (2, "threads"), (1, "processes")):
        trainer = make_trainer()
        trainer.fit(*make_loaders(number, kind), epochs=1)
        ends.append(bits(end_of(trainer)))
    assert ends[0] == ends[1] == ends[2]


def test_a_run_goes_on_after_its_last_epoch():
    trainer = make_trainer()
    loaders = make_loaders()
    trainer.fit(*loaders, epochs=1)
    assert len(trainer.fit(*loaders, epochs=1)) == 1
    trainer.fit(*loaders, epochs=2)
    end = bits(end_of(trainer))
    other = make_trainer()  # which seeds the streams that all share
    other.fit(*make_loaders(), epochs=2)
    assert len(trainer.history) == 2
    # restore_best has put the best weights in after the first epoch, which was the best so far: the same ones.
    assert bits(end_of(other)) == end


def test_a_run_that_was_stopped_stays_stopped_when_resumed(tmp_path):
    x, y = problem(32)
    trainer = small_trainer(
        [train.EarlyStopping("train_loss", patience=1, min_delta=1e9), train.ModelCheckpoint(tmp_path)]
    )
    trainer.fit(loader(x, y), epochs=9)
    assert trainer.epoch == 2
    other = small_trainer(
        [train.EarlyStopping("train_loss", patience=1, min_delta=1e9), train.ModelCheckpoint(tmp_path)]
    )
    other.resume(tmp_path)
    other.fit(loader(x, y), epochs=9)
    assert (other.epoch, other.stop_reason) == (2, trainer.stop_reason)
    other.fit(loader(x, y), epochs=9)  # asked for again, it goes on
    assert other.epoch == 3


def test_resume_names_damaged_checkpoints(tmp_path):
    x, y = problem(32)
    trainer = small_trainer([train.ModelCheckpoint(tmp_path, keep_last=2)])
    assert trainer.resume(tmp_path) is None
    trainer.fit(loader(x, y), epochs=2)
    older, newer = sorted(tmp_path.iterdir())
    file = newer / "arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    other = small_trainer([train.ModelCheckpoint(tmp_path)])
    with pytest.warns(UserWarning, match=f"{newer.name}: damaged: arrays.safetensors"):
        assert other.resume(tmp_path) == older
    (older / "state.json").unlink()
    with (
        pytest.warns(UserWarning, match="damaged|missing"),
        pytest.raises(train.CheckpointError, match="every checkpoint is damaged"),
    ):
        other.resume(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("model",), 3),
        (("optimizer",), [1]),
        (("optimizer", "param_groups"), [{}]),
        (("optimizer", "param_groups"), [3]),
        (("optimizer", "state"), {"0.weight": 3}),
        (("random",), None),
        (("progress",), "x"),
        (("progress", "metrics"), {"accuracy": 1, "f1": 2}),
        (("callbacks",), []),
        (("callbacks", "LRSchedule"), 3),
        (("callbacks", "EarlyStopping"), "weights"),
    ],
)
def test_a_checkpoint_of_rubbish_is_refused_by_name(tmp_path, path, value):
    """Whole files with sums that fit, and in them whatever somebody likes."""
    trainer = make_trainer()
    trainer.fit(*make_loaders(), epochs=1)
    state = copy.deepcopy(trainer.state_dict())
    spoil(*path, value=value)(state)
    before = bits(end_of(trainer))
    saved = train.save_checkpoint(tmp_path / "last-epoch-0001-step-00000001", state)
    assert_refuses(lambda: trainer.resume(tmp_path), train.CheckpointError, f"{saved}: not of such a run")
    assert bits(end_of(trainer)) == before


def spoil(*path, value=None):
    """A change of a state at `path`; None takes the entry away."""

    def change(state):
        place = state
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoil("model"), "state must have the keys"),
        (spoil("model", "0.weight"), "missing 0.weight"),
        (spoil("model", "0.weight", value=np.zeros((1, 2), np.float32)), "misshapen 0.weight"),
        (spoil("model", "10.weight", value=np.zeros((1, 2), np.float32)), "unexpected 10.weight"),
        (spoil("optimizer", value={"state": {}}), "param_groups"),
        (spoil("optimizer", "param_groups", value=[]), "groups must have"),
        (spoil("random", value={"seed": -1, "stream": 0}), "seed must be in"),
        (spoil("progress", "epoch", value=-1), "epoch must be at least 0"),
        (spoil("progress", "batch", value="3"), "batch must be an int"),
        (spoil("progress", "loss", value={}), "total"),
        (spoil("progress", "metrics", value={}), "metrics: state must have the keys ['accuracy', 'f1']"),
        (spoil("progress", "stop_reason", value=4), "stop_reason must be text or None"),
        (spoil("callbacks", "EarlyStopping"), "callbacks: state must have the keys"),
        (spoil("callbacks", "EarlyStopping", value={"best": 1}), "EarlyStopping: state must have the keys"),
        (spoil("callbacks", "History", value={"rows": [1]}), "rows must be a list of dicts"),
        (spoil("callbacks", "LRSchedule", value={"last_epoch": 1}), "base_lrs"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, words):
    keep = Keep()
    trainer = make_trainer([keep])
    trainer.fit(*make_loaders(), epochs=1)
    state = keep.states[2][1]  # of an earlier moment: each part that was taken over would show
    change(state)
    before = bits(end_of(trainer))
    with pytest.raises((ValueError, TypeError)) as caught:
        trainer.load_state_dict(state)
    assert words in str(caught.value)
    assert bits(end_of(trainer)) == before
    trainer.fit(*make_loaders_at_epoch(1), epochs=2)
    end = bits(end_of(trainer))
    other = make_trainer()  # which seeds the streams that all share
    other.fit(*make_loaders(), epochs=2)
    assert bits(end_of(other)) == end


def make_loaders_at_epoch(epoch):
    training, validation = make_loaders()
    training.load_state_dict({"epoch": epoch, "position": 0, "sampler": {"seed": 3}})
    return training, validation


# ---- bad calls


class NoState:
    """A loader that does not know where it is."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


def in_the_middle():
    x, y = problem(64)
    keep = Keep()
    small_trainer([keep]).fit(loader(x, y), epochs=1)
    trainer = small_trainer()
    trainer.load_state_dict(keep.states[1][1])
    return trainer, NoState([(x, y)])


X, Y = problem(16)
BATCH = [(X, Y)]


def build(**changes):
    model = small_model()
    parts = {
        "model": model,
        "criterion": nn.CrossEntropyLoss(),
        "optimizer": optim.SGD(model.parameters(), 0.1),
    }
    return train.Trainer(**(parts | changes))


@bad_calls(
    ("model", lambda: build(model=3), TypeError, "model must be a Module, got int"),
    ("criterion", lambda: build(criterion=len), TypeError, "criterion must be a loss with backward"),
    ("optimizer", lambda: build(optimizer=0.1), TypeError, "optimizer must be an Optimizer, got float"),
    ("other_optimizer", lambda: build(optimizer=optim.SGD(small_model().parameters(), 0.1)), ValueError, "named_parameters lacks"),
    ("metrics", lambda: build(metrics=[metrics.Accuracy()]), TypeError, "metrics must be a dict, got list"),
    ("metric", lambda: build(metrics={"a": 3}), TypeError, "metrics['a'] must be a Metric, got int"),
    ("metric_of_many", lambda: build(metrics={"a": metrics.ConfusionMatrix(3)}), ValueError, "metrics['a'] must give one number"),
    ("loss_metric", lambda: build(metrics={"loss": metrics.Accuracy()}), ValueError, "must not hold 'loss'"),
    ("callback", lambda: build(callbacks=[print]), TypeError, "callbacks must be Callbacks"),
    ("accumulate", lambda: build(accumulate=0), ValueError, "accumulate must be at least 1, got 0"),
    ("clip_norm", lambda: build(clip_grad_norm=-1), ValueError, "clip_grad_norm must be a finite number"),
    ("clip_value", lambda: build(clip_grad_value="1"), TypeError, "clip_grad_value must be a number, got str"),
    ("epochs", lambda: build().fit(BATCH, epochs=-1), ValueError, "epochs must be at least 0, got -1"),
    ("no_length", lambda: build().fit(iter(BATCH), epochs=1), TypeError, "train must have __iter__ and __len__"),
    ("bad_validation", lambda: build().fit(BATCH, 3, epochs=1), TypeError, "validation must have __iter__ and __len__"),
    ("no_batches", lambda: build().fit([], epochs=1), ValueError, "train must have at least one batch"),
    ("no_target", lambda: build().fit([X], epochs=1), TypeError, "a batch must be (inputs, targets), got ndarray"),
    ("three", lambda: build().fit([(X, Y, Y)], epochs=1), TypeError, "a batch must be (inputs, targets), got 3 items"),
    ("no_reduction", lambda: build(criterion=nn.CrossEntropyLoss(reduction="none")).fit(BATCH, epochs=1), ValueError, "criterion must give one number, got shape (16,)"),
    ("no_place", lambda: (lambda t, d: t.fit(d, epochs=1))(*in_the_middle()), ValueError, "train must have load_state_dict"),
    ("predict_nothing", lambda: build().predict([]), ValueError, "data must have at least one batch"),
    ("predict_size", lambda: build().predict(X, batch_size=0), ValueError, "batch_size must be at least 1"),
    ("monitor", lambda: build(callbacks=[train.EarlyStopping()]).fit(BATCH, epochs=1), ValueError, "monitor must be one of epoch, step, lr, train_loss, seconds, got 'val_loss' (fit has no validation data)"),
    ("patience", lambda: train.EarlyStopping(patience=-1), ValueError, "patience must be at least 0"),
    ("min_delta", lambda: train.EarlyStopping(min_delta=-1.0), ValueError, "min_delta must be"),
    ("mode", lambda: train.EarlyStopping(mode="low"), ValueError, "mode must be one of 'auto', 'min', 'max', got 'low'"),
    ("restore", lambda: train.EarlyStopping(restore_best="yes"), ValueError, "restore_best must be one of False, True"),
    ("start", lambda: train.EarlyStopping(start_from_epoch=1.5), TypeError, "start_from_epoch must be an int"),
    ("monitor_type", lambda: train.EarlyStopping(monitor=3), TypeError, "monitor must be text, got int"),
    ("keep", lambda: train.ModelCheckpoint("x", keep_last=0), ValueError, "keep_last must be at least 1"),
    ("steps", lambda: train.ModelCheckpoint("x", every_steps=0), ValueError, "every_steps must be at least 1"),
    ("best_mode", lambda: train.ModelCheckpoint("x", monitor="a", mode="x"), ValueError, "mode must be one of"),
    ("nan_every", lambda: train.TerminateOnNaN(every=0), ValueError, "every must be at least 1"),
    ("scheduler", lambda: train.LRSchedule(3), TypeError, "scheduler must be a learning-rate schedule, got int"),
    ("interval", lambda: train.LRSchedule(schedule(), "batch"), ValueError, "interval must be one of 'epoch', 'step'"),
    ("monitor_for_none", lambda: train.LRSchedule(schedule(), monitor="val_loss"), ValueError, "monitor is for ReduceLROnPlateau only"),
    ("plateau_step", lambda: train.LRSchedule(plateau(), "step"), ValueError, "ReduceLROnPlateau needs interval='epoch'"),
    ("other_schedule", lambda: build(callbacks=[train.LRSchedule(schedule())]).fit(BATCH, epochs=1), ValueError, "scheduler must be made with the trainer's optimizer"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def schedule():
    return optim.lr_scheduler.StepLR(optim.SGD(small_model().parameters(), 0.1), 1)


def plateau():
    return optim.lr_scheduler.ReduceLROnPlateau(optim.SGD(small_model().parameters(), 0.1))


def test_after_a_refused_call_the_trainer_works():
    trainer = build()
    assert_refuses(lambda: trainer.fit([(X, Y), X], epochs=1), TypeError, "a batch must be")
    other = build()
    other.fit(BATCH, epochs=1)
    other.epoch = 0
    assert trainer.fit(BATCH, epochs=1)["train_loss"] == other.fit(BATCH, epochs=1)["train_loss"][1:]


def test_a_loader_of_another_length_is_an_error():
    class Short(NoState):
        def __len__(self):
            return len(self.batches) + 1

    class Long(NoState):
        def __len__(self):
            return len(self.batches) - 1

    assert_refuses(
        lambda: build().fit(Short(BATCH), epochs=1), ValueError, "gave 1 batches, but its length is 2"
    )
    assert_refuses(
        lambda: build().fit(Long(BATCH * 2), epochs=1), ValueError, "more batches than its length, 1"
    )


# ---- callbacks of one's own, and signals at odd moments


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


@pytest.mark.parametrize("when", ["on_fit_begin", "on_fit_end"])
def test_an_interrupt_before_the_first_or_after_the_last_step_is_not_lost(when):
    x, y = problem(32)
    press = train.Callback()
    setattr(press, when, lambda trainer: os.kill(os.getpid(), signal.SIGINT))
    trainer = small_trainer([press])
    with pytest.raises(train.Interrupted) as caught:
        trainer.fit(loader(x, y), epochs=1)
    assert caught.value.step == trainer.step == {"on_fit_begin": 1, "on_fit_end": 2}[when]


def test_a_signal_that_is_ignored_stays_ignored():
    class Press(train.Callback):
        def on_step_end(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)

    x, y = problem(32)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert len(small_trainer([Press()]).fit(loader(x, y), epochs=1)) == 1
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


class Breaks(NoState):
    """A loader that gives `count` batches and an error, after a signal where it is to have one."""

    def __init__(self, batches, count, signum=None):
        super().__init__(batches)
        self.count, self.signum = count, signum

    def __iter__(self):
        yield from self.batches[: self.count]
        if self.signum is not None:
            os.kill(os.getpid(), self.signum)
        raise RuntimeError("worker 0 died")


@pytest.mark.parametrize("place", ["train", "validation"])
def test_a_loader_that_a_signal_broke_is_an_interrupt(tmp_path, place):
    x, y = problem(16)
    whole = NoState([(x, y)] * 3)
    for signum, expected in ((signal.SIGTERM, train.Interrupted), (None, RuntimeError)):
        broken = Breaks([(x, y)] * 3, 1, signum)
        loaders = (broken, whole) if place == "train" else (whole, broken)
        folder = tmp_path / expected.__name__
        trainer = small_trainer([train.ModelCheckpoint(folder)])
        with pytest.raises(expected):
            trainer.fit(*loaders, epochs=1)
        kept = [path.name for path in folder.glob("*")]
        steps = {"train": 1, "validation": 3}[place]
        assert kept == ([] if signum is None else [f"last-epoch-0000-step-{steps:08d}"])


def test_validation_must_have_a_batch():
    assert_refuses(
        lambda: build().fit(BATCH, [], epochs=1), ValueError, "validation must have at least one batch"
    )


def test_a_loader_without_a_state_cannot_go_on_in_the_middle():
    class Press(train.Callback):
        def on_step_end(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)

    batches = NoState([(X, Y)] * 3)
    trainer = small_trainer([Press()])
    with pytest.raises(train.Interrupted):
        trainer.fit(batches, epochs=1)
    assert_refuses(
        lambda: trainer.fit(batches, epochs=1), ValueError, "in the middle of an epoch, at batch 1"
    )


@pytest.mark.torch
def test_a_loader_of_pytorch():
    torch = pytest.importorskip("torch")
    x, y = problem(40)
    samples = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    batches = torch.utils.data.DataLoader(samples, 16)
    ours, theirs = small_trainer(), small_trainer()
    ours.fit(loader(x, y), loader(x, y), epochs=2)
    theirs.fit(batches, batches, epochs=2)
    assert bits(end_of(ours)) == bits(end_of(theirs))
    assert np.array_equal(theirs.predict(batches), ours.predict(x, batch_size=16))


def test_after_an_interrupt_the_same_trainer_goes_on():
    class Press(train.Callback):
        def on_step_end(self, trainer):
            if trainer.step in (1, 3):
                os.kill(os.getpid(), signal.SIGINT)

    x, y = problem(64)
    options = {"batch_size": 16, "shuffle": True, "generator": 1}
    batches, trainer, whole = loader(x, y, **options), small_trainer([Press()]), small_trainer()
    for _ in range(2):
        with pytest.raises(train.Interrupted):
            trainer.fit(batches, epochs=2)
    trainer.fit(batches, epochs=2)
    whole.fit(loader(x, y, **options), epochs=2)
    assert bits(end_of(trainer)) == bits(end_of(whole))


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

"""The training loop: what it computes, and what it refuses."""

import copy

import numpy as np
import pytest

from gpudl import metrics, nn, optim, train
from tests.support.arrays import assert_refuses, bad_calls
from tests.support.small_runs import Keep, NoState, loader, problem, small_model, small_trainer
from tests.support.training import bits, end_of, make_loaders, make_trainer


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
    ("one_callback", lambda: build(callbacks=train.History()), TypeError, "callbacks must be a list of Callbacks, got History"),
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


def test_an_empty_batch_counts_nothing():
    empty = (X[:0], Y[:0])
    one, other = build(), build()
    other.model.load_state_dict(one.model.state_dict())
    assert one.evaluate([empty, (X, Y), empty]) == other.evaluate(BATCH)
    rows = one.fit([(X, Y), empty], [empty, (X, Y)], epochs=1).rows
    expected = other.fit(BATCH, BATCH, epochs=1).rows
    for name in ("train_loss", "val_loss"):
        assert rows[0][name] == expected[0][name]


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


def test_validation_must_have_a_batch():
    assert_refuses(
        lambda: build().fit(BATCH, [], epochs=1), ValueError, "validation must have at least one batch"
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


@pytest.mark.torch
def test_predict_takes_a_tensor_as_the_array_it_is():
    torch = pytest.importorskip("torch")
    x, _ = problem(5)
    trainer = small_trainer()
    assert np.array_equal(
        trainer.predict(torch.from_numpy(x), batch_size=2), trainer.predict(x, batch_size=2)
    )

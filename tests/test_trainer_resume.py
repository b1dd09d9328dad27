"""Runs that stop anywhere and go on bit for bit: signals, saved states, damaged and foreign ones."""

import copy
import os
import signal

import numpy as np
import pytest

import gpudl
from gpudl import data, train
from tests.support.arrays import assert_refuses
from tests.support.small_runs import Keep, NoState, loader, problem, small_trainer
from tests.support.training import EPOCHS, bits, end_of, make_loaders, make_trainer


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


@pytest.mark.parametrize("when", ["on_fit_begin", "on_fit_end"])
def test_an_interrupt_before_the_first_or_after_the_last_step_is_not_lost(when):
    x, y = problem(32)
    press = train.Callback()
    setattr(press, when, lambda trainer: os.kill(os.getpid(), signal.SIGINT))
    trainer = small_trainer([press])
    with pytest.raises(train.Interrupted) as caught:
        trainer.fit(loader(x, y), epochs=1)
    assert caught.value.step == trainer.step == {"on_fit_begin": 1, "on_fit_end": 2}[when]


def test_an_error_before_the_first_step_leaves_the_loaded_state():
    class BreaksOnce(train.Callback):
        broken = False

        def on_fit_begin(self, trainer):
            if not self.broken:
                self.broken = True
                raise OSError("no such folder")

    keep = Keep()
    whole = make_trainer([keep])
    whole.fit(*make_loaders(), epochs=2)
    trainer = make_trainer([BreaksOnce()])
    trainer.load_state_dict(keep.states[3][1])  # in the middle of the first epoch
    loaders = make_loaders()
    with pytest.raises(OSError, match="no such folder"):
        trainer.fit(*loaders, epochs=2)
    trainer.fit(*loaders, epochs=2)
    assert bits(end_of(trainer)) == bits(end_of(whole))


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


def test_a_loader_without_a_state_cannot_go_on_in_the_middle():
    class Press(train.Callback):
        def on_step_end(self, trainer):
            os.kill(os.getpid(), signal.SIGINT)

    batches = NoState([problem(16)] * 3)
    trainer = small_trainer([Press()])
    with pytest.raises(train.Interrupted):
        trainer.fit(batches, epochs=1)
    assert_refuses(
        lambda: trainer.fit(batches, epochs=1), ValueError, "in the middle of an epoch, at batch 1"
    )


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

"""`gpudl train`: what a run says and leaves, every kind of data, every choice."""

import csv
import json
import os
import pty
import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

import gpudl
from gpudl import nn
from gpudl.cli import main
from gpudl.cli.config import (
    AUGMENTATIONS,
    OPTIMIZERS,
    SCHEDULES,
    RunConfig,
    read_config,
)
from gpudl.cli.parts import make_optimizer, make_schedule, split
from gpudl.cli.train import _make_trainer
from gpudl.data import open_dataset
from gpudl.train import Callback, EarlyStopping, load_checkpoint
from tests.cli.commands import MNIST, QUICK, gpudl_command, refused
from tests.support.training import bits, digits


def test_what_a_run_says_and_leaves(finished):
    folder, text = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints", "config.toml", "confusion_matrix.png", "environment.json", "history.csv", "history.json",
        "learning_curves.png", "model", "test.json",
    ]  # fmt: skip
    lines = text.splitlines()
    assert lines[0] == (
        "model=small-cnn  optimizer=adamw  lr=0.002  schedule=one-cycle  augment=affine  batch_size=128  epochs=2"
        "  seed=0  device=cpu"
    )
    assert "training 1293 images, validation 144 (10% of the training part" in lines[1]
    assert "test 360 images (the test part of digits)" in lines[1]
    number = r"\d+\.\d{4}"
    assert re.fullmatch(
        rf"epoch 1/2  train loss {number}  train accuracy {number}  val loss {number}  val accuracy {number}  "
        r"lr [\d.e-]+  \d+\.\d s", lines[2],
    )  # fmt: skip
    accuracy = json.loads((folder / "test.json").read_text())["accuracy"]
    assert re.fullmatch(
        rf"test accuracy {accuracy:.2%} of 360 images, \d+\.\d s; everything is in {re.escape(str(folder))}",
        lines[-1],
    )
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert json.loads((folder / "history.json").read_text())[1]["val_loss"] == float(rows[1]["val_loss"])
    for name in ("learning_curves.png", "confusion_matrix.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["gpudl"] == gpudl.__version__
    assert environment["packages"]["numpy"] == np.__version__
    assert read_config(folder / "config.toml")["lr"] == 0.002


def test_the_same_command_gives_the_same_bits(finished, tmp_path):
    assert main(["train", "--output", str(tmp_path / "again"), *QUICK]) == 0
    one, other = (bits(load_checkpoint(folder / "model")) for folder in (finished[0], tmp_path / "again"))
    assert one == other
    assert main(["train", "--output", str(tmp_path / "other"), *QUICK, "--seed", "1"]) == 0
    assert bits(load_checkpoint(tmp_path / "other" / "model")) != one


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    """320 images of 8 x 8: nine steps an epoch in batches of 32."""
    images, labels = digits(320)
    path = tmp_path_factory.mktemp("few") / "digits.npz"
    np.savez(path, x=images, y=labels)
    return path


@pytest.mark.parametrize(
    "options",
    [
        *(["--optimizer", name] for name in OPTIMIZERS if name != "adamw"),
        *(["--schedule", name] for name in SCHEDULES if name != "one-cycle"),
        *(["--augment", name] for name in AUGMENTATIONS if name != "affine"),
        [
            "--lr",
            "0.01",
            "--weight-decay",
            "0",
            "--early-stopping",
            "1",
            "--validation",
            "0.3",
            "--checkpoint-steps",
            "3",
        ],
    ],
    ids=" ".join,
)
def test_every_choice_trains(tmp_path, capsys, few_digits, options):
    command = ["train", str(few_digits), "--output", str(tmp_path), "--model", "small-cnn"]
    assert main([*command, "--epochs", "2", "--batch-size", "32", *options]) == 0
    config = read_config(tmp_path / "config.toml")
    for name, value in zip(options[::2], options[1::2], strict=True):
        assert str(config[name[2:].replace("-", "_")]) in (value, f"{value}.0")
    history = json.loads((tmp_path / "history.json").read_text())
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def rates(name, epochs=6, steps=4, loss=1.0):
    """The learning rate of each step, the validation loss standing still."""
    model = nn.Linear(2, 2)
    config = RunConfig(schedule=name, epochs=epochs, lr=1.0, optimizer="sgd")
    optimizer = make_optimizer(config, model)
    schedule = make_schedule(config, optimizer, steps) or Callback()
    found = []
    for _ in range(epochs):
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            schedule.on_step_end(None)
        schedule.on_epoch_end(None, {"val_loss": loss})
    return np.array(found)


def test_the_schedules_do_what_they_are_called():
    steps, epochs = np.arange(24), np.arange(24) // 4
    assert np.allclose(rates("constant"), 1)
    assert np.allclose(rates("cosine"), (1 + np.cos(np.pi * steps / 24)) / 2)
    assert np.allclose(rates("step"), 0.1 ** (epochs // 2))
    assert np.allclose(rates("exponential"), np.exp(-epochs / 2))
    assert np.allclose(
        rates("plateau"), np.where(epochs > 4, 0.3, 1)
    )  # after three epochs without better and one more
    one_cycle = rates("one-cycle", epochs=25)
    assert one_cycle.max() == pytest.approx(1, abs=1e-2)
    assert one_cycle.argmax() == 30  # three tenths of the way
    assert one_cycle[0] == pytest.approx(1 / 25)
    assert one_cycle[-1] < 1e-3


def test_early_stopping_takes_the_best_weights(tmp_path):
    config = RunConfig(early_stopping=4).resolved(1)
    callbacks = _make_trainer(config, tmp_path, nn.Linear(2, 2), steps_per_epoch=5).callbacks
    (stopping,) = (callback for callback in callbacks if isinstance(callback, EarlyStopping))
    assert (stopping.monitor, stopping.patience, stopping.restore_best) == ("val_loss", 4, True)


def test_weights_decay_and_biases_do_not():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    for name in OPTIMIZERS:
        optimizer = make_optimizer(RunConfig(optimizer=name, weight_decay=0.5).resolved(1), model)
        shapes = {
            group["weight_decay"]: [p.data.shape for p in group["params"]] for group in optimizer.param_groups
        }
        assert shapes == {0.5: [(2, 1, 3, 3)], 0.0: [(2,), (2,), (2,)]}
    assert make_optimizer(RunConfig(optimizer="sgd").resolved(1), model).param_groups[0]["momentum"] == 0.9


@pytest.mark.parametrize("name", ["grey.npz", "float.npz", "mnist", "cifar", "images"])
def test_every_kind_of_data(tmp_path, capsys, sources, name):
    assert (
        main(["train", str(sources / name), "--output", str(tmp_path), "--epochs", "1", "--batch-size", "16"])
        == 0
    )
    text = capsys.readouterr().out
    part = "the test part of mnist" if name == "mnist" else "which has no test part"
    assert part in text
    assert ("augment=crop-flip" in text) == (name in ("cifar", "images"))
    assert main(["evaluate", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path), str(sources / name)]) == 0
    tested = f"{30 if name == 'mnist' else 12} images of the test part of"  # as without DATA: they are the run's own
    assert f"of {tested} {Path(name).stem.replace('cifar', 'cifar10')}\n" in capsys.readouterr().out


def test_images_of_a_given_size(tmp_path, sources):
    options = ["--image-size", "8", "--epochs", "1", "--batch-size", "16"]
    assert main(["train", str(sources / "images"), "--output", str(tmp_path), *options]) == 0
    assert load_checkpoint(tmp_path / "model")["image_shape"] == [3, 8, 8]


def test_without_output_the_folder_tells_data_model_and_date(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *QUICK]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"digits-small-cnn-\d{8}-\d{6}", folder.name)


def test_a_bar_on_a_terminal(tmp_path):
    parent, child = pty.openpty()
    process = subprocess.Popen(
        gpudl_command("train", "--output", tmp_path / "run", *QUICK), stdout=child, stderr=child,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(child)
    text = b""
    try:
        while chunk := os.read(parent, 1 << 16):
            text += chunk
    except OSError:  # the other side is closed
        assert process.wait() == 0
    os.close(parent)
    words = text.decode()
    assert "\x1b[" in words
    assert "━" in words
    assert re.search(r"\d+/11", words)
    assert "epoch 2/2  train loss" in words
    assert "test accuracy" in words


@pytest.mark.slow
def test_lenet_on_8000_images_of_mnist(tmp_path, capsys):
    assert main(["train", str(MNIST), "--model", "lenet", "--output", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "test.json").read_text())["accuracy"] >= 0.975


def test_the_parts_share_no_sample_and_have_every_class():
    source = open_dataset("digits")
    parts = split(source, 0.2, 7)
    rows = [
        {image.tobytes() for image in part.arrays[0]} for part in (parts.train, parts.validation, parts.test)
    ]
    assert not rows[0] & rows[2]
    assert len(parts.train) + len(parts.validation) == len(source.train)
    assert {len(np.unique(part.arrays[1])) for part in (parts.train, parts.validation, parts.test)} == {10}
    held_out, whole = (np.bincount(part.arrays[1]) for part in (parts.validation, source.train))
    assert np.abs(held_out - 0.2 * whole).max() < 1  # each class with its share
    again, other = split(source, 0.2, 7), split(source, 0.2, 8)
    assert np.array_equal(again.train.arrays[0], parts.train.arrays[0])
    assert not np.array_equal(other.train.arrays[0], parts.train.arrays[0])


def test_a_run_that_diverges_says_so(tmp_path, capsys):
    options = [
        "--optimizer",
        "sgd",
        "--lr",
        "1e30",
        "--schedule",
        "constant",
        "--checkpoint-steps",
        "3",
        *QUICK,
    ]
    with np.errstate(all="ignore"):
        assert main(["train", "--output", str(tmp_path), *options]) == 1
    assert "the training loss is" in capsys.readouterr().out
    assert not (tmp_path / "model").exists()
    assert not list(tmp_path.glob("checkpoints/*"))  # of a state that is worth nothing


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0] * 30, "training needs at least two classes, got 1"),
        ([0, 700] * 15, "30 images cannot be of 701 classes"),
        ([0, 1] * 14 + [1, 2], "the class of label 2 has one image only"),
    ],
)
def test_labels_that_cannot_be_trained_on(tmp_path, capsys, labels, words):
    np.savez(tmp_path / "x.npz", x=np.zeros((30, 8, 8), np.uint8), y=labels)
    assert words in refused(capsys, "train", tmp_path / "x.npz", "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_labels_with_holes_and_one_image_too_many(tmp_path, capsys):
    """33 images in batches of 16: the last one would be alone where batch norm needs two."""
    np.savez(tmp_path / "x.npz", x=np.arange(48 * 4).reshape(48, 2, 2).astype(np.uint8), y=[1, 3] * 24)
    options = ["--epochs", "1", "--batch-size", "16", "--validation", "0.13"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["train", str(tmp_path / "x.npz"), "--output", str(tmp_path / "run"), *options]) == 0
    out, err = capsys.readouterr()
    assert err == "gpudl: warning: x: no training image of 2 of 4 classes: 0, 2\n"
    assert "training 33 images" in out
    assert "(13% of the training part" in out
    assert json.loads((tmp_path / "run" / "history.json").read_text())[0]["step"] == 2


def test_a_model_that_cannot_take_the_images_or_the_batches(tmp_path, capsys):
    for side, batch_size, words in (
        (2, 1, "small-cnn cannot train on batches of shape (1, 1, 2, 2): batch_norm"),
        (1, 16, "small-cnn cannot train on batches of shape (2, 1, 1, 1): max_pool2d"),
    ):
        np.savez(tmp_path / "x.npz", x=np.zeros((60, side, side), np.uint8), y=[0, 1] * 30)
        options = ["--output", tmp_path / "run", "--batch-size", batch_size]
        assert words in refused(capsys, "train", tmp_path / "x.npz", *options)
    assert not (tmp_path / "run").exists()

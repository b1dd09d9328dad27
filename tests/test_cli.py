"""The command line as a user types it: runs and their folders, interrupts, wrong options and wrong files."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import gpudl
from gpudl import models, nn
from gpudl.cli import main
from gpudl.cli.config import (
    AUGMENTATIONS,
    OPTIMIZERS,
    SCHEDULES,
    ConfigError,
    RunConfig,
    read_config,
    write_config,
)
from gpudl.cli.parts import make_optimizer, make_schedule, split
from gpudl.cli.run_folder import claimed
from gpudl.cli.train import _make_trainer
from gpudl.data import open_dataset
from gpudl.train import Callback, EarlyStopping, load_checkpoint, save_checkpoint
from tests.support.arrays import assert_refuses
from tests.support.training import bits

QUICK = ["--epochs", "2", "--batch-size", "128"]
MNIST = Path(__file__).parent / "data" / "mnist10k"


def gpudl_command(*arguments):
    return [sys.executable, "-m", "gpudl", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(gpudl_command(*arguments), capture_output=True, text=True)


def refused(capsys, *arguments):
    """What one line a wrong command prints."""
    assert main([*map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"gpudl {arguments[0]}: ")
    return err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run on the digits, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    done = run("train", "--output", folder, *QUICK)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


# ---- train


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
def test_every_choice_trains(tmp_path, capsys, options):
    assert main(["train", "--output", str(tmp_path), "--model", "small-cnn", *QUICK, *options]) == 0
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


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Small data of every kind: path, and how many training images."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    grey = (rng.integers(0, 60, (60, 12, 12)) + labels[:, None, None] * 60).astype(np.uint8)
    np.savez(folder / "grey.npz", x=grey, y=labels)
    np.savez(folder / "float.npz", x=grey[:, None].astype(np.float64) / 255, y=labels)
    mnist = folder / "mnist"
    mnist.mkdir()
    for part, count in (("train", 60), ("t10k", 30)):
        head = bytes([0, 0, 8])
        sizes = b"".join(n.to_bytes(4, "big") for n in (count, 12, 12))
        (mnist / f"{part}-images-idx3-ubyte").write_bytes(head + b"\3" + sizes + grey[:count].tobytes())
        (mnist / f"{part}-labels-idx1-ubyte").write_bytes(
            head + b"\1" + count.to_bytes(4, "big") + labels[:count].astype(np.uint8).tobytes()
        )
    cifar = folder / "cifar"
    cifar.mkdir()
    tens = (np.arange(60) % 10).astype(np.uint8)
    records = np.concatenate([tens[:, None], rng.integers(0, 256, (60, 3072)).astype(np.uint8)], axis=1)
    (cifar / "data_batch_1.bin").write_bytes(records.tobytes())
    for label, name in enumerate(("cat", "dog", "eel")):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(np.stack([grey[3 * i + label]] * 3, -1)).save(
                folder / "images" / name / f"{i}.png"
            )
    return folder


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
    tested = "30 images of the test part of" if name == "mnist" else "60 images of"
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


# ---- configuration


def test_a_file_of_options_and_the_command_line_over_it(tmp_path, capsys):
    file = tmp_path / "run.toml"
    file.write_text('batch-size = 128\nepochs = 9\noptimizer = "sgd"\n')
    assert main(["train", "--config", str(file), "--epochs", "1", "--output", str(tmp_path / "run")]) == 0
    config = read_config(tmp_path / "run" / "config.toml")
    assert (config["batch_size"], config["epochs"], config["optimizer"], config["lr"]) == (
        128,
        1,
        "sgd",
        0.05,
    )
    again = ["train", "--config", str(tmp_path / "run" / "config.toml"), "--output", str(tmp_path / "again")]
    assert main(again) == 0
    assert read_config(tmp_path / "again" / "config.toml") == config


def test_config_round_trip(tmp_path):
    config = RunConfig(
        data='a "b"\\\n\u00e9', lr=1e-7, early_stopping=3, weight_decay=0, image_size=9, augment="none"
    )
    (tmp_path / "c.toml").write_text(write_config(config), encoding="utf-8")
    assert RunConfig(**read_config(tmp_path / "c.toml")) == config


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "alexnet"}, f"--model: expected one of {', '.join(models.names())}, got 'alexnet'"),
        ({"epochs": 0}, "--epochs: expected a whole number from 1 on, got 0"),
        ({"epochs": 2.5}, "--epochs: expected a whole number"),
        ({"batch_size": True}, "--batch-size: expected a whole number from 1 on, got True"),
        ({"optimizer": "adagrad"}, "--optimizer: expected one of sgd, adam, adamw, rmsprop, got 'adagrad'"),
        ({"lr": 0.0}, "--lr: expected a number above 0, got 0.0"),
        ({"lr": float("nan")}, "--lr: expected a number above 0, got nan"),
        ({"lr": "fast"}, "--lr: expected a number above 0, got 'fast'"),
        ({"schedule": "linear"}, "--schedule: expected one of constant, cosine"),
        ({"augment": "mixup"}, "--augment: expected one of none, affine, crop-flip, strong"),
        ({"weight_decay": -1}, "--weight-decay: expected a number of at least 0, got -1"),
        ({"weight_decay": False}, "--weight-decay: expected a number of at least 0, got False"),
        ({"early_stopping": 0}, "--early-stopping: expected a whole number from 1 on, got 0"),
        ({"validation": 1.0}, "--validation: expected a number between 0 and 1, got 1.0"),
        ({"checkpoint_steps": 0}, "--checkpoint-steps: expected a whole number"),
        ({"seed": -1}, "--seed: expected a whole number from 0 on, got -1"),
        ({"device": "tpu"}, "--device: expected one of cpu, simt, cuda, got 'tpu'"),
        ({"image_size": 0}, "--image-size: expected a whole number"),
        ({"data": ""}, "--data: expected text, got ''"),
        ({"data": 3}, "--data: expected text, got 3"),
        ({"data": "\udcff"}, "--data: expected text that UTF-8 can write"),
        ({"seed": 1 << 32}, "--seed: expected a whole number of at most 4294967295"),
        ({"image_size": 1 << 16}, "--image-size: expected a whole number of at most 32768"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_options(options, words):
    assert_refuses(lambda: RunConfig(**options), ConfigError, words)


def test_wrong_files_of_options(tmp_path, capsys):
    file = tmp_path / "run.toml"
    for content, words in (
        (b"epochs = ", "no TOML file"),
        (b"\xff\xfe", "no TOML file"),
        (
            b"epochen = 3\nlearning_rate = 1\n",
            "unknown epochen, learning_rate; there are data, image_size, model",
        ),
        (b'epochs = "3"', "--epochs: expected a whole number from 1 on, got '3'"),
        (b"[model]\nname = 3\n", "--model: expected one of"),
        (b"a = " + b"[" * 5000, "no TOML file"),
    ):
        file.write_bytes(content)
        assert words in refused(capsys, "train", "--config", file, "--output", tmp_path / "run")
    assert "No such file" in refused(capsys, "train", "--config", tmp_path / "none.toml")
    assert not (tmp_path / "run").exists()


# ---- wrong data, folders and devices


def test_wrong_data_and_folders(tmp_path, capsys, finished, sources):
    out = ["--output", tmp_path / "run"]
    assert "nowhere: no such file or folder" in refused(capsys, "train", "nowhere", *out)
    assert "expected an .npz file, or a folder" in refused(capsys, "train", tmp_path, *out)
    (tmp_path / "bad.npz").write_bytes(b"PK")
    assert "bad.npz: damaged archive" in refused(capsys, "train", tmp_path / "bad.npz", *out)
    assert "is not empty; give another folder" in refused(capsys, "train", "--output", finished[0])
    assert "lenet cannot take images of shape (1, 8, 8)" in refused(capsys, "train", "--model", "lenet", *out)
    np.savez(tmp_path / "few.npz", x=np.zeros((4, 8, 8), np.uint8), y=[0, 1, 2, 2])
    assert "too few to hold out a test part" in refused(capsys, "train", tmp_path / "few.npz", *out)
    assert "no gpudl._cuda" in refused(capsys, "train", "--device", "cuda", *out)
    assert "image_size acts on folders of images only" in refused(capsys, "train", "--image-size", 9, *out)
    assert not (tmp_path / "run").exists()
    assert gpudl.current_backend() == "cpu"


def test_wrong_runs(tmp_path, capsys, finished, sources):
    run_folder = finished[0]
    assert "no such folder" in refused(capsys, "evaluate", tmp_path / "none")
    assert "no run of gpudl train" in refused(capsys, "evaluate", tmp_path)
    assert "no run of gpudl train" in refused(capsys, "predict", tmp_path, "x.png")
    assert "images must be as those of the run, uint8 of shape (1, 8, 8)" in refused(
        capsys, "evaluate", run_folder, sources / "grey.npz"
    )
    assert "x.png" in refused(capsys, "predict", run_folder, tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(b"no image")
    assert "x.png: no image that Pillow reads" in refused(capsys, "predict", run_folder, tmp_path / "x.png")
    (tmp_path / "config.toml").write_text("")
    assert f"the run has not ended; go on with: gpudl train --resume {tmp_path}" in refused(
        capsys, "evaluate", tmp_path
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("model"),
        lambda state: state.update(model={}),
        lambda state: state.update(name="../../etc/passwd"),
        lambda state: state.update(name=3),
        lambda state: state.update(classes=[]),
        lambda state: state.update(image_shape=[1, 8]),
        lambda state: state.update(image_shape=["a", 1, 2]),
        lambda state: state.update(standardize={"mean": 3}),
        lambda state: state.update(standardize=None),
    ],
)
def test_hostile_models(tmp_path, capsys, finished, change):
    state = load_checkpoint(finished[0] / "model")
    change(state)
    (tmp_path / "config.toml").write_text("")
    save_checkpoint(tmp_path / "model", state)
    assert "model: not a model of gpudl train" in refused(capsys, "evaluate", tmp_path)


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


# ---- interrupts and kills


def started(folder, checkpoints=1):
    """A run that has written so many checkpoints."""
    command = gpudl_command("train", "--output", folder, "--epochs", "3", "--checkpoint-steps", "2")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while len(list(folder.glob("checkpoints/last-*"))) < checkpoints:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run("train", "--output", folder, "--epochs", 3, "--checkpoint-steps", 2).returncode == 0
    return folder


def assert_ended_alike(folder, other):
    for path in (
        "model",
        *(f"checkpoints/{p.name}" for p in sorted((other / "checkpoints").glob("last-*"))[-1:]),
    ):
        one, two = load_checkpoint(folder / path), load_checkpoint(other / path)
        for state in (one, two):
            state.get("progress", {}).pop("seconds", None)
            for row in state.get("callbacks", {}).get("History", {}).get("rows", ()):
                del row["seconds"]
        assert bits(one) == bits(two)
    assert json.loads((folder / "test.json").read_text()) == json.loads((other / "test.json").read_text())


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, whole, signum, status):
    folder = tmp_path / "run"
    process = started(folder)
    process.send_signal(signum)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    step = int(
        re.fullmatch(rf"interrupted at step (\d+); go on with: gpudl train --resume {folder}\n", errors)[1]
    )
    assert list(folder.glob(f"checkpoints/last-*-step-{step:08d}"))
    done = run("train", "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert f"going on from {folder}" in done.stdout
    assert_ended_alike(folder, whole)


def test_killed_and_resumed(tmp_path, whole):
    folder = tmp_path / "run"
    process = started(folder, checkpoints=2)
    process.kill()
    process.communicate()
    newest = sorted(folder.glob("checkpoints/last-*"))[-1]
    (newest / "state.json").write_bytes(b"")
    # The same command line, with --resume behind it.
    done = run("train", "--output", folder, "--epochs", 3, "--checkpoint-steps", 2, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"gpudl: warning: {newest}: damaged: state.json" in done.stderr
    assert_ended_alike(folder, whole)
    again = run("train", "--resume", folder)
    assert again.returncode == 0
    assert_ended_alike(folder, whole)


def test_resume_begins_a_run_that_is_not_there(tmp_path, capsys):
    assert main(["train", "--output", str(tmp_path / "new"), "--resume", *QUICK]) == 0
    assert (tmp_path / "new" / "test.json").exists()


def test_wrong_resumes(tmp_path, capsys, finished):
    assert "--resume: expected the folder of a run" in refused(capsys, "train", "--resume")
    assert "holds no run of gpudl train" in refused(capsys, "train", "--resume", tmp_path)
    assert "--output: not with --resume RUN" in refused(
        capsys, "train", "--resume", finished[0], "--output", tmp_path
    )
    assert "--epochs:" in refused(capsys, "train", "--epochs", 9, "--resume", finished[0])
    assert "was begun with 2, got 9" in refused(capsys, "train", "--epochs", 9, "--resume", finished[0])


def test_a_run_that_diverges_says_so(tmp_path, capsys):
    options = ["--optimizer", "sgd", "--lr", "1e30", "--schedule", "constant", *QUICK]
    with np.errstate(all="ignore"):
        assert main(["train", "--output", str(tmp_path), *options]) == 1
    assert "the training loss is" in capsys.readouterr().out
    assert not (tmp_path / "model").exists()


# ---- evaluate, predict, info


def test_evaluate(finished, tmp_path, capsys):
    assert main(["evaluate", str(finished[0]), "--output", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    result = json.loads((finished[0] / "test.json").read_text())
    assert f"accuracy {result['accuracy']:.2%} of 360 images of the test part of digits" in text
    assert "weighted average" in text
    confusion = np.array(result["confusion"])
    assert confusion.sum() == 360
    assert np.trace(confusion) / 360 == result["accuracy"]
    table = text[text.index("confusion matrix") :].splitlines()[2:]
    assert [[int(n) for n in line.split()[1:]] for line in table] == confusion.tolist()
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == result
    assert (tmp_path / "out" / "confusion_matrix.png").exists()


def test_predict(finished, tmp_path, capsys):
    from PIL import Image

    images, labels = open_dataset("digits").test.arrays
    paths = []
    for i in range(40):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(images[i, 0]).save(paths[-1])
    assert main(["predict", str(finished[0]), *map(str, paths), "--format", "json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    right = [int(entry["class"]) == label for entry, label in zip(entries, labels, strict=False)]
    total = json.loads((finished[0] / "test.json").read_text())["accuracy"]
    assert abs(np.mean(right) - total) < 0.25  # the same images, 40 of 360
    for entry in entries:
        assert sum(entry["probabilities"].values()) == pytest.approx(1, abs=1e-6)
        assert max(entry["probabilities"], key=entry["probabilities"].get) == entry["class"]
    assert (
        main(
            [
                "predict",
                str(finished[0]),
                *map(str, paths),
                "--format",
                "csv",
                "--output",
                str(tmp_path / "p.csv"),
            ]
        )
        == 0
    )
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert [row["class"] for row in rows] == [entry["class"] for entry in entries]
    assert float(rows[3]["7"]) == pytest.approx(entries[3]["probabilities"]["7"], rel=1e-5)
    assert capsys.readouterr().out == ""
    big = tmp_path / "big.jpg"
    Image.fromarray(images[0, 0]).resize((80, 80)).convert("RGB").save(big)
    assert main(["predict", str(finished[0]), str(big), str(paths[0])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{big}: ")
    shown = re.fullmatch(
        rf"{re.escape(str(paths[0]))}: (\d)  \(\1 ([\d.]+)%, \d ([\d.]+)%, \d ([\d.]+)%\)", lines[1]
    )
    assert shown[1] == entries[0]["class"]
    assert float(shown[2]) >= float(shown[3]) >= float(shown[4])


def test_predict_refuses_a_model_of_floating_images(tmp_path, capsys, sources):
    assert main(["train", str(sources / "float.npz"), "--output", str(tmp_path), "--epochs", "1"]) == 0
    capsys.readouterr()
    assert "was trained on float64 images" in refused(capsys, "predict", tmp_path, "x.png")


def test_info(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert f"gpudl {gpudl.__version__}, Python {sys.version.split()[0]}" in text
    assert re.search(r"cpu +works", text)
    assert re.search(r"simt +(works|no: .*gpudl\._simt)", text)
    assert re.search(r"cuda +(works|no: )", text)
    assert "[train] complete" in text


def test_help_and_version(capsys):
    for command, word in (
        ("train", "--resume"),
        ("evaluate", "DATA"),
        ("predict", "floating"),
        ("info", "-h"),
    ):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert text.startswith(f"usage: gpudl {command}")
        assert word in text
    assert run("--version").stdout == f"gpudl {gpudl.__version__}\n"
    for words, expected in (([], "required: COMMAND"), (["fly"], "invalid choice")):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
        assert expected in capsys.readouterr().err


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from gpudl.cli import main
sys.exit(main({argv!r}))
"""


@pytest.mark.parametrize("missing", [["sklearn"], ["matplotlib"], ["tomlkit"]], ids=lambda names: names[0])
def test_what_is_missing_is_named_with_the_extra(tmp_path, missing):
    argv = ["train", "--output", str(tmp_path / "run"), "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing, argv=argv)], capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "pip install 'gpudl[train]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_base_install_imports_without_the_extra():
    program = WITHOUT.format(
        missing=["sklearn", "matplotlib", "rich", "PIL", "tomlkit", "scipy"], argv=["info"]
    )
    program = program.replace(
        "sys.exit(main(['info']))", "import gpudl; gpudl.train, gpudl.data, gpudl.models, gpudl.metrics"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- labels and classes


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


def image_folders(root, *classes):
    from PIL import Image

    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(10):
            Image.new("L", (8, 8), 200 * label + i).save(root / name / f"{i}.png")
    return root


def test_evaluate_knows_classes_by_their_names(tmp_path, capsys):
    run_folder, quick = tmp_path / "run", ["--epochs", "1", "--batch-size", "4"]
    assert (
        main(["train", str(image_folders(tmp_path / "ab", "a", "b")), "--output", str(run_folder), *quick])
        == 0
    )
    capsys.readouterr()
    assert main(["evaluate", str(run_folder), str(image_folders(tmp_path / "b", "b"))]) == 0
    table = capsys.readouterr().out.splitlines()[-2:]
    assert [sum(map(int, line.split()[1:])) for line in table] == [0, 10]
    assert "does not know the classes x" in refused(
        capsys, "evaluate", run_folder, image_folders(tmp_path / "xb", "b", "x")
    )
    np.savez(tmp_path / "n.npz", x=np.zeros((3, 8, 8), np.uint8), y=[0, 1, 1])  # numbers, no names
    assert main(["evaluate", str(run_folder), str(tmp_path / "n.npz")]) == 0
    capsys.readouterr()
    np.savez(tmp_path / "n.npz", x=np.zeros((3, 8, 8), np.uint8), y=[0, 1, 2])
    assert "does not know the classes 0, 1, 2" in refused(capsys, "evaluate", run_folder, tmp_path / "n.npz")


def test_data_that_changed_and_other_places(tmp_path, capsys, monkeypatch):
    """The path of the data holds from any folder; another content is refused."""
    folder = image_folders(tmp_path / "d", "猫", "$dog$")
    monkeypatch.chdir(tmp_path)
    command = ["train", "d", "--output", "my run", "--epochs", "1", "--batch-size", "4"]
    assert main(command) == 0
    assert capsys.readouterr().err == ""  # no font has to have every name
    first = json.loads((tmp_path / "my run" / "environment.json").read_text())
    assert main([*command, "--resume"]) == 0
    monkeypatch.chdir("/")
    assert main(["train", "--resume", str(tmp_path / "my run")]) == 0
    assert main(["evaluate", str(tmp_path / "my run")]) == 0
    capsys.readouterr()
    again = json.loads((tmp_path / "my run" / "environment.json").read_text())
    assert len(again.pop("resumed")) == 2
    assert again == first
    (folder / "猫" / "0.png").rename(folder / "猫" / "99.png")
    for words in (["train", "--resume"], ["evaluate"]):
        assert "d: has changed since the run in" in refused(capsys, *words, tmp_path / "my run")
    (tmp_path / "my run" / "environment.json").write_text("{")
    assert main(["evaluate", str(tmp_path / "my run")]) == 0


# ---- what ends a command


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "gpudl train: interrupted\n"),
        (MemoryError("of 9 TB"), 2, "gpudl train: not enough memory: of 9 TB\n"),
        (PermissionError(13, "Permission denied", "a b"), 2, "gpudl train: a b: Permission denied\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_before_a_run_begins(tmp_path, capsys, monkeypatch, error, status, words):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("gpudl.data.open_dataset", fail)
    assert main(["train", "--output", str(tmp_path / "run")]) == status
    assert capsys.readouterr() == ("", words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted; "),
        (OSError(28, "No space left", "x.png"), 2, "gpudl train: x.png: No space left; "),
    ],
    ids=["ctrl-c", "full"],
)
def test_errors_after_training_say_how_to_go_on(tmp_path, capsys, monkeypatch, error, status, words):
    """A second Ctrl-C, or a full disk when the figures are written: the run is whole once resumed."""
    folder = tmp_path / "a run"

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("gpudl.train.plot_confusion_matrix", fail)
        assert main(["train", "--output", str(folder), *QUICK]) == status
    assert capsys.readouterr().err == f"{words}go on with: gpudl train --resume '{folder}'\n"
    assert main(["train", "--resume", str(folder)]) == 0
    assert (folder / "confusion_matrix.png").exists()


def test_one_process_a_folder(tmp_path, capsys, finished):
    with claimed(finished[0]):
        assert "another gpudl train is at work in this folder" in refused(
            capsys, "train", "--resume", finished[0]
        )
    assert "--epochs: expected" in refused(capsys, "train", "--epochs", 0)


def test_killed_while_the_first_file_was_written(tmp_path, capsys):
    (tmp_path / ".writing-config.toml").write_text("ep")
    assert main(["train", "--output", str(tmp_path), "--resume", *QUICK]) == 0
    assert not list(tmp_path.glob(".*"))
    (tmp_path / "config.toml").unlink()
    err = refused(capsys_cleared(capsys), "train", "--output", tmp_path, "--resume")
    assert err.endswith("is not empty; give another folder\n")


def capsys_cleared(capsys):
    capsys.readouterr()
    return capsys


def test_output_that_nobody_reads(finished):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        gpudl_command("evaluate", finished[0]), stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert process.communicate()[1] == ""
    assert process.returncode == 128 + signal.SIGPIPE


def test_a_wrong_option_is_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--epochs", "x"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "gpudl train: argument --epochs: invalid int value: 'x' (gpudl train --help tells more)\n"
    )

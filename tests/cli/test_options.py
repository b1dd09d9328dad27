"""Options and files of options, wrong ones too; help; what is said when a part is not installed."""

import re
import subprocess
import sys
import types

import numpy as np
import pytest

import gpudl
from gpudl import _backend, models
from gpudl.cli import main
from gpudl.cli.config import (
    ConfigError,
    RunConfig,
    read_config,
    write_config,
)
from tests.cli.commands import refused, run
from tests.support.arrays import assert_refuses


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


def test_the_device_is_that_of_the_environment(monkeypatch):
    monkeypatch.setattr(_backend, "_current", "cuda")  # as GPUDL_DEVICE=cuda sets it
    assert RunConfig().device == "cuda"
    assert RunConfig(device="cpu").device == "cpu"


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
        (b"batch-size = 3\nbatch_size = 4\n", "an option twice, with - and with _: batch-size, batch_size"),
        (b"a = " + b"[" * 5000, "no TOML file"),
    ):
        file.write_bytes(content)
        assert words in refused(capsys, "train", "--config", file, "--output", tmp_path / "run")
    assert "No such file" in refused(capsys, "train", "--config", tmp_path / "none.toml")
    assert not (tmp_path / "run").exists()


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


def test_info(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert f"gpudl {gpudl.__version__}, Python {sys.version.split()[0]}" in text
    assert re.search(r"cpu +works", text)
    assert re.search(r"simt +(works|no: .*gpudl[./]_simt)", text)
    assert re.search(r"cuda +(works|no: )", text)
    assert "[train] complete" in text


def test_info_of_a_machine_with_a_gpu(capsys, monkeypatch):
    properties = {"name": b"NVIDIA H200", "major": 9, "minor": 0, "totalGlobalMem": 139 << 30}
    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda number: properties,
        driverGetVersion=lambda: 13020,
    )
    cupy = types.SimpleNamespace(
        __version__="14.0.1", cuda=types.SimpleNamespace(runtime=runtime), ndarray=type(None)
    )
    kernels = types.SimpleNamespace(__architectures__="sm_80-sm_90a-compute_80")
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(_backend._loaded, "cuda", kernels)
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"cuda +works", text)
    assert "compiled for sm_80, sm_90a, compute_80" in text
    assert "GPU 0: NVIDIA H200, compute capability 9.0, 139 GiB" in text
    assert "driver for CUDA 13.2, CuPy 14.0.1" in text


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
import types
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


def test_a_wrong_option_is_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--epochs", "x"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "gpudl train: argument --epochs: invalid int value: 'x' (gpudl train --help tells more)\n"
    )

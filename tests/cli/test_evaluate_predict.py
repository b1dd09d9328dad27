"""`gpudl evaluate` and `gpudl predict`, and runs that cannot be trusted."""

import csv
import json
import os
import re
import signal
import subprocess

import numpy as np
import pytest

from gpudl.cli import main
from gpudl.data import open_dataset, transforms
from gpudl.train import load_checkpoint, save_checkpoint
from tests.cli.commands import gpudl_command, image_folders, refused


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
        lambda state: state.update(image_shape=[1, 1 << 31, 8]),
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


@pytest.mark.parametrize("output", ["", ".", "..", "folder", "none/x"])
def test_predictions_that_cannot_be_written(tmp_path, capsys, monkeypatch, finished, output):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    Image.new("L", (8, 8)).save("x.png")
    assert f"gpudl predict: {output or '.'}: " in refused(
        capsys, "predict", finished[0], "x.png", "--output", output
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "x.png"]


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


def test_many_images_go_through_the_model_in_batches(tmp_path, capsys, monkeypatch, finished):
    """Those of a large model would not fit into memory together."""
    from PIL import Image

    images = open_dataset("digits").train.arrays[0][:300, 0]
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(300)]
    seen, standardize = [], transforms.Standardize.__call__
    monkeypatch.setattr(
        transforms.Standardize, "__call__", lambda self, x: seen.append(len(x)) or standardize(self, x)
    )
    assert main(["predict", str(finished[0]), *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert seen == [256, 44]
    assert main(["predict", str(finished[0]), *paths[250:]]) == 0
    assert capsys.readouterr().out.splitlines() == lines[250:]


def test_predict_refuses_a_model_of_floating_images(tmp_path, capsys, sources):
    assert main(["train", str(sources / "float.npz"), "--output", str(tmp_path), "--epochs", "1"]) == 0
    capsys.readouterr()
    assert "was trained on float64 images" in refused(capsys, "predict", tmp_path, "x.png")


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


def test_output_that_nobody_reads(finished):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        gpudl_command("evaluate", finished[0]), stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert process.communicate()[1] == ""
    assert process.returncode == 128 + signal.SIGPIPE

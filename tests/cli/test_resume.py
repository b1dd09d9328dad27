"""Runs that were interrupted, killed or hit by an error, and how they go on."""

import json
import re
import shutil
import signal
import subprocess
import time

import pytest

from gpudl.cli import main
from gpudl.cli.run_folder import claimed
from gpudl.train import load_checkpoint
from tests.cli.commands import QUICK, capsys_cleared, gpudl_command, image_folders, refused, run
from tests.support.training import bits


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


def test_data_that_were_moved(tmp_path, capsys, monkeypatch):
    """Their new place is taken where they are the same, from then on without naming it."""
    monkeypatch.chdir(tmp_path)
    folder = image_folders(tmp_path / "d", "cat", "dog")
    assert main(["train", "d", "--output", "a run", "--epochs", "1", "--batch-size", "4"]) == 0
    assert main(["evaluate", "a run"]) == 0
    before = capsys.readouterr().out
    accuracy = next(line for line in before.splitlines() if line.startswith("accuracy"))
    folder.rename(tmp_path / "elsewhere")
    image_folders(tmp_path / "other", "cat", "eel")
    gone = f"{tmp_path}/d: no such file or folder; if the data were moved: gpudl"
    assert f"{gone} train DATA --resume 'a run'\n" in refused(capsys, "train", "--resume", "a run")
    assert f"{gone} evaluate 'a run' DATA\n" in refused(capsys, "evaluate", "a run")
    # the test part, not the images of the training part as well
    assert main(["evaluate", "a run", "elsewhere"]) == 0
    assert capsys.readouterr().out.startswith(accuracy.replace("of d", "of elsewhere") + "\n")
    err = refused(capsys, "train", "other", "--resume", "a run")
    assert f"--data: a run was begun with '{tmp_path}/d', got 'other', not known to hold the same" in err
    assert main(["train", "elsewhere", "--resume", "a run"]) == 0
    assert main(["train", "--resume", "a run"]) == 0
    assert main(["evaluate", "a run"]) == 0
    (tmp_path / "a run" / "environment.json").unlink()
    (tmp_path / "elsewhere").rename(folder)
    assert "got 'd', not known" in refused(capsys_cleared(capsys), "train", "d", "--resume", "a run")


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


@pytest.mark.parametrize("text", ['{"resumed": 3}', "[" * 100_000, "[]"], ids=["resumed", "deep", "list"])
def test_an_environment_that_cannot_be_read(tmp_path, capsys, finished, text):
    """Nothing hangs on it but the sum of the data, which are then taken as they are."""
    folder = shutil.copytree(finished[0], tmp_path / "run")
    (folder / "environment.json").write_text(text)
    assert main(["evaluate", str(folder)]) == 0
    assert main(["train", "--resume", str(folder)]) == 0
    assert "python" in (folder / "environment.json").read_text()


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

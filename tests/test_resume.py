"""Runs that are really killed, at any moment, and resumed: they end with the bits of a run that never stopped."""

import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from gpudl.train import load_checkpoint
from tests.support.training import bits

MOST_STARTS = 60


def start(folder, *arguments):
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tests.support.training",
        str(folder),
        *map(str, arguments),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """The exit code; an error of the program itself fails the test."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The end of a run that was never stopped, and how long it took."""
    folder = tmp_path_factory.mktemp("whole")
    begin = time.monotonic()
    assert finish(start(folder)) == 0
    return bits(load_checkpoint(folder / "end")), time.monotonic() - begin


def history_without_times(folder):
    lines = (folder / "history.csv").read_text().splitlines()
    return [line.rpartition(",")[0] for line in lines]


def test_it_ends_alike_when_not_killed(tmp_path, whole):
    assert finish(start(tmp_path, "--num-workers", 2)) == 0
    assert bits(load_checkpoint(tmp_path / "end")) == whole[0]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))], ids="seed={}".format
)
def test_killed_at_random_moments(tmp_path, whole, seed):
    """SIGKILL from outside after a random time, again and again, until a run comes through."""
    moments = random.Random(seed)
    workers = ("--num-workers", 2, "--workers", ("threads", "processes")[seed % 2])
    for kills in range(MOST_STARTS):
        process = start(tmp_path, *(workers if seed > 1 else ()))
        # From within the import to beyond the end; later starts get longer, so that the test ends.
        time.sleep(moments.uniform(0.2, 1.0 + 0.1 * kills) * whole[1])
        process.kill()
        if finish(process) == 0:
            break
    assert finish(start(tmp_path)) == 0
    assert bits(load_checkpoint(tmp_path / "end")) == whole[0]


@pytest.mark.parametrize(
    "first",
    [5, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3, 4, 6, 7, 8, 13))],
    ids="first={}".format,
)
def test_killed_inside_the_write_of_a_checkpoint(tmp_path, whole, first):
    """The process dies at its n-th write, flush or rename, then after a number more each time."""
    for kills in range(MOST_STARTS):
        if finish(start(tmp_path, "--kill-at", first + 11 * kills)) == 0:
            break
    assert 1 <= kills < MOST_STARTS - 1
    assert bits(load_checkpoint(tmp_path / "end")) == whole[0]


def test_the_history_file_of_a_resumed_run(tmp_path, whole):
    finish(start(tmp_path / "a"))
    finish(start(tmp_path / "b", "--kill-at", 40))
    finish(start(tmp_path / "b"))
    assert history_without_times(tmp_path / "a") == history_without_times(tmp_path / "b")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of a run that died at its 60th operation on checkpoints; to be copied."""
    folder = tmp_path_factory.mktemp("killed")
    assert finish(start(folder, "--kill-at", 60)) == -signal.SIGKILL
    return folder


@pytest.mark.parametrize("name", ["arrays.safetensors", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_newest_checkpoint_costs_some_steps_only(tmp_path, whole, killed, name, damage):
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    kept = sorted((tmp_path / "checkpoints").glob("last-*"))
    assert len(kept) == 2
    file = kept[-1] / name
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(data[: len(data) // 2])
    else:
        file.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    assert finish(start(tmp_path)) == 0
    assert bits(load_checkpoint(tmp_path / "end")) == whole[0]


def test_without_any_checkpoint_it_starts_anew(tmp_path, whole):
    assert finish(start(tmp_path, "--kill-at", 1)) == -signal.SIGKILL
    shutil.rmtree(tmp_path / "checkpoints")
    assert finish(start(tmp_path)) == 0
    assert bits(load_checkpoint(tmp_path / "end")) == whole[0]

"""Checkpoints: what comes back, what is refused, and that a failed write loses nothing."""

import errno
import json
import math
import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudl.train import CheckpointError, checkpoint, load_checkpoint, load_newest_checkpoint, save_checkpoint
from tests.support.arrays import assert_refuses

STATE = {
    "model": {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(7)},
    "numbers": [1, 2.5, -0.0, 1 << 63, True, None, "text\n\u00e9"],
    "odd": {"nan": math.nan, "inf": math.inf, "minus": -math.inf, "": {}},
}


def assert_same(got, expected):
    assert type(got) is type(expected) or isinstance(expected, tuple | np.generic)
    if isinstance(expected, np.ndarray | np.generic):
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        assert got.tobytes() == expected.tobytes()
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for key, value in expected.items():
            assert_same(got[key], value)
    elif isinstance(expected, list | tuple):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    else:
        assert repr(got) == repr(expected)


def test_round_trip(tmp_path):
    path = save_checkpoint(tmp_path / "runs" / "one", STATE)
    assert_same(load_checkpoint(path), STATE)
    assert sorted(file.name for file in path.iterdir()) == ["SHA256SUMS", "arrays.safetensors", "state.json"]
    assert [file.name for file in path.parent.iterdir()] == ["one"]


@pytest.mark.parametrize(
    "dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int64, np.uint32, np.uint8, np.bool_]
)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)])
def test_dtypes_and_shapes(tmp_path, dtype, shape):
    array = (np.random.default_rng(0).standard_normal(shape) * 9).astype(dtype)
    assert_same(load_checkpoint(save_checkpoint(tmp_path / "one", {"x": array})), {"x": np.asarray(array)})


def test_array_memory_orders(tmp_path):
    array = np.arange(24.0).reshape(2, 3, 4)
    state = {"f": np.asfortranarray(array), "s": array[:, ::-1, ::2], "scalar": np.float32(1.5)}
    loaded = load_checkpoint(save_checkpoint(tmp_path / "one", state))
    assert np.array_equal(loaded["f"], array)
    assert np.array_equal(loaded["s"], array[:, ::-1, ::2])
    assert loaded["scalar"] == np.float32(1.5)


def test_sums_can_be_checked_by_others(tmp_path):
    path = save_checkpoint(tmp_path / "one", STATE)
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=path, capture_output=True).returncode == 0


def test_overwrites_in_place(tmp_path):
    save_checkpoint(tmp_path / "one", STATE)
    save_checkpoint(tmp_path / "one", {"a": 1})
    assert load_checkpoint(tmp_path / "one") == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["one"]


def test_nothing_but_a_checkpoint_is_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    for name, reason in (("file", "is a file"), ("folder", "is no checkpoint, it has thesis.txt")):
        assert_refuses(lambda name=name: save_checkpoint(tmp_path / name, STATE), FileExistsError, reason)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "thesis.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    (tmp_path / "empty").mkdir()
    path = save_checkpoint(tmp_path / "empty", STATE)
    (path / "SHA256SUMS").unlink()
    assert_same(load_checkpoint(save_checkpoint(path, STATE)), STATE)


# ---- damage


def files_of(path):
    return [path / name for name in ("arrays.safetensors", "state.json", "SHA256SUMS")]


@pytest.mark.parametrize("which", range(3), ids=("arrays", "state", "sums"))
def test_truncated_anywhere(tmp_path, which):
    path = save_checkpoint(tmp_path / "one", STATE)
    file = files_of(path)[which]
    whole = file.read_bytes()
    for length in {0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 2}:
        file.write_bytes(whole[:length])
        assert_refuses(lambda: load_checkpoint(path), CheckpointError, str(path))
    file.unlink()
    assert_refuses(lambda: load_checkpoint(path), CheckpointError, f"{file.name} is missing")
    file.write_bytes(whole)
    assert_same(load_checkpoint(path), STATE)


@given(st.integers(0, 2), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_one_changed_byte_is_found(tmp_path_factory, which, place, change):
    path = save_checkpoint(tmp_path_factory.mktemp("damage") / "one", STATE)
    file = files_of(path)[which]
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= change
    file.write_bytes(data)
    # A sum in capital letters would be as right; nothing else may pass.
    assert_refuses(lambda: load_checkpoint(path), CheckpointError, str(path))


def seal(path):
    """Sums that fit whatever lies there: what somebody who wants to do harm would write."""
    import hashlib

    lines = [
        f"{hashlib.sha256((path / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("arrays.safetensors", "state.json")
    ]
    (path / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("state.json", b"[" * 200_000),
        ("state.json", b"\xff\xfe"),
        ("state.json", b'{"format": "gpudl-checkpoint-1"}'),
        ("state.json", b'{"format": "gpudl-checkpoint-1", "state": [1]}'),
        ("state.json", b'{"format": "gpudl-checkpoint-1", "state": {"x": {"$array": "nowhere"}}}'),
        ("state.json", b'{"format": "gpudl-checkpoint-1", "state": {"x": {"$array": [1]}}}'),
        ("state.json", b'{"format": "gpudl-checkpoint-1", "state": {"x": {"$float": "abc"}}}'),
        ("state.json", b'{"format": "other", "state": {}}'),
        ("state.json", b"3"),
        ("arrays.safetensors", b"\xff" * 8 + b"{}"),
        ("arrays.safetensors", (1 << 40).to_bytes(8, "little") + b"{}"),
        (
            "arrays.safetensors",
            (64).to_bytes(8, "little")
            + b'{"x":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}'.ljust(64),
        ),
    ],
    ids=range(12),
)
def test_hostile_files(tmp_path, file, content):
    path = save_checkpoint(tmp_path / "one", {"x": 1})
    (path / file).write_bytes(content)
    seal(path)
    assert_refuses(lambda: load_checkpoint(path), CheckpointError, str(path))


def test_hostile_sums(tmp_path):
    path = save_checkpoint(tmp_path / "one", {"x": 1})
    (path / "SHA256SUMS").write_text("0" * 64 + "  ../../etc/passwd\n")
    assert_refuses(
        lambda: load_checkpoint(path), CheckpointError, "must name arrays.safetensors and state.json"
    )
    (path / "SHA256SUMS").write_bytes(b"\xff")
    assert_refuses(lambda: load_checkpoint(path), CheckpointError, str(path))
    assert_refuses(lambda: load_checkpoint(tmp_path / "none"), CheckpointError, "SHA256SUMS is missing")


def test_the_newest_whole_one_is_used_and_damaged_ones_are_named(tmp_path):
    names = [
        "last-epoch-0001-step-00000010", "best-epoch-0001-step-00000010", "last-epoch-0002-step-00000020",
        "last-epoch-0010-step-00000100",
    ]  # fmt: skip
    for number, name in enumerate(names):
        save_checkpoint(tmp_path / name, {"number": number})
    assert load_newest_checkpoint(tmp_path)[:2] == (tmp_path / names[3], {"number": 3})
    (tmp_path / names[3] / "state.json").write_bytes(b"")
    (tmp_path / names[2] / "arrays.safetensors").unlink()
    path, state, damaged = load_newest_checkpoint(tmp_path)
    assert (path, state) == (tmp_path / names[0], {"number": 0})
    assert [names[3] in str(damaged[0]), names[2] in str(damaged[1]), len(damaged)] == [True, True, 2]
    assert load_newest_checkpoint(tmp_path / "none") == (None, None, [])


# ---- writes that fail


@pytest.mark.parametrize("call", range(7))
def test_a_full_disk_loses_nothing(tmp_path, monkeypatch, call):
    """The n-th write, flush or rename fails as it does on a full disk."""
    save_checkpoint(tmp_path / "one", STATE)
    count = 0
    fsync, rename = os.fsync, type(tmp_path).rename

    def fail(real):
        def maybe(*arguments):
            nonlocal count
            count += 1
            if count == call + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments)

        return maybe

    monkeypatch.setattr(os, "fsync", fail(fsync))
    monkeypatch.setattr(type(tmp_path), "rename", fail(rename))
    if call < 6:  # three files, their folder, the rename, the parent folder
        assert_refuses(lambda: save_checkpoint(tmp_path / "two", {"a": 1}), OSError, f"{tmp_path / 'two'}'")
    else:
        save_checkpoint(tmp_path / "two", {"a": 1})
    monkeypatch.undo()
    assert_same(load_checkpoint(tmp_path / "one"), STATE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_real_limit_on_file_size(tmp_path):
    """The system refuses the write after 64 KiB: the checkpoint before it is whole, and nothing else is left."""
    program = f"""
import resource, signal
import numpy as np
from gpudl.train import save_checkpoint
from pathlib import Path
folder = Path({str(tmp_path)!r})
save_checkpoint(folder / "one", {{"x": np.arange(8)}})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    save_checkpoint(folder / "two", {{"x": np.zeros(1 << 16)}})
except OSError as error:
    print("refused", error.errno)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"refused {errno.EFBIG}\n", done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert load_checkpoint(tmp_path / "one")["x"].tolist() == list(range(8))


def test_leftovers_of_a_kill_are_no_checkpoints_and_go(tmp_path):
    save_checkpoint(tmp_path / "one", {"x": 1})
    for name in (".writing-two", ".removing-three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_text(json.dumps({}))
    assert load_newest_checkpoint(tmp_path)[0] == tmp_path / "one"
    checkpoint.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_was_there_stays_where_a_new_one_cannot_be_named(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "one", STATE)
    rename = type(tmp_path).rename

    def refuse_new(path, target):
        if path.name.startswith(".writing-"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", refuse_new)
    assert_refuses(lambda: save_checkpoint(tmp_path / "one", {"a": 1}), OSError, "Input/output error")
    assert_same(load_checkpoint(tmp_path / "one"), STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_write_file_replaces_or_leaves(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    checkpoint.write_file(path, b"old")

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert_refuses(lambda: checkpoint.write_file(path, b"new"), OSError, "No space left")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    checkpoint.write_file(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("history.csv", b"new")]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a": {1, 2}}, "got set at 'a'"),
        ({"a": [{"b": 1j}]}, "got complex at 'a/0/b'"),
        ({3: 4}, "keys must be text other than $array and $float, got 3 at ''"),
        ({"a": {"$array": 1}}, "got '$array' at 'a'"),
        ([1], "state must be a dict, got list"),
        ({"a": {"b": np.array(["x"])}}, "got <U1 at 'a/b'"),
        ({"a": np.array([None])}, "arrays must be of one of bool, int8, "),
        ({"a": np.longdouble(1)}, f"got {np.dtype(np.longdouble)} at 'a'"),
        ({"a": np.zeros(2, ml_dtypes.float8_e4m3fn)}, "got float8_e4m3fn at 'a'"),
    ],
)
def test_what_cannot_be_saved_is_refused(tmp_path, state, words):
    assert_refuses(lambda: save_checkpoint(tmp_path / "a", state), TypeError, words)
    assert list(tmp_path.iterdir()) == []


def test_keys_with_slashes_do_not_collide(tmp_path):
    state = {"a": {"b": np.arange(3)}, "a/b": np.arange(4.0)}
    read = load_checkpoint(save_checkpoint(tmp_path / "x", state))
    assert np.array_equal(read["a"]["b"], np.arange(3))
    assert np.array_equal(read["a/b"], np.arange(4.0))


def test_any_key_comes_back(tmp_path):
    """Also those that look like the names that are given to others, and the one that safetensors keeps for itself."""
    state = {
        "a/b (2)": np.array(0), "a/b": np.array(1), "a": {"b": np.array(2)},
        "__metadata__": np.array(3), "": np.array(4), "text": np.str_("five"),
    }  # fmt: skip
    read = load_checkpoint(save_checkpoint(tmp_path / "x", state))
    assert_same(read, state | {"text": "five"})


def test_numbers_that_outgrow_their_zeros_are_in_order(tmp_path):
    names = [
        "last-epoch-9999-step-99999999",
        "best-epoch-10000-step-100000000",
        "last-epoch-10000-step-100000000",
    ]
    for name in names:
        save_checkpoint(tmp_path / name, {"name": name})
    assert [path.name for path in checkpoint.list_checkpoints(tmp_path)] == names
    assert load_newest_checkpoint(tmp_path)[1] == {"name": names[-1]}


def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    with pytest.raises(OSError, match=r"none/x\.csv'") as caught:
        checkpoint.write_file(tmp_path / "none" / "x.csv", b"1")
    assert caught.value.filename == str(tmp_path / "none" / "x.csv")
    checkpoint.write_file(tmp_path / "x.csv", b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.csv'"):
        checkpoint.write_file(tmp_path / "x.csv", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]

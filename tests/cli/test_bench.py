"""`gpudl bench`, `bench compare` and `bench report` as a user has them, on an operator of the test's own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from gpudl.bench import cpu, measure, outputs
from gpudl.bench.record import read
from gpudl.cli import main
from tests.bench.records import registered, timed, write_run
from tests.cli.commands import gpudl_command, refused, run

pytest.importorskip("matplotlib")

# An operator with contenders, one of them wrong; and less warm-up and smaller ceilings, which are enough here.
MINE = """
import numpy as np
from gpudl import bench
from gpudl.bench import cpu, measure

cpu.COPY_BYTES, cpu.MATMUL_EXTENT, cpu.SETTLE, measure.WARM_UP_SECONDS = 1 << 16, 16, 0, 1e-3

@bench.operator("tiny", family="tests")
def problems():
    for n in WORKLOADS:
        yield bench.Problem(
            "tiny", f"N {n}", lambda rng, n=n: {"x": bench.activations(rng, n)}, bench.Work(flops=n, values=2 * n),
            {"by": 2}, expected=lambda inputs: (2 * inputs["x"].astype(np.float64),), quick=n == 32,
        )

@bench.contender("tiny", name="gpudl")
def ours(x, *, by):
    return x * by

@bench.contender("tiny", name="theirs", difference="twice the work")
def theirs(x, *, by):
    return x * by + x * 0

@bench.contender("tiny", name="off")
def off(x, *, by):
    return x * (by + 1)
"""


def mine(folder, workloads=(1, 32, 256)):
    path = folder / "mine.py"
    path.write_text(MINE.replace("WORKLOADS", repr(list(workloads))))
    return path


def test_a_run_says_and_leaves(tmp_path):
    folder = tmp_path / "run"
    done = run("bench", "tiny", "--with", mine(tmp_path), "--seconds", "0.001", "--output", folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"3 of 3 problems to measure, into {folder}"
    number = r"[\d.]+ [mun]?s \([\d.]+% of \w+\)"
    assert re.fullmatch(
        rf"\[1/3, \d+ s left\] tiny N 1, float32, warm: gpudl {number} \| theirs {number} ratio \d+\.\d\d \| "
        r"off wrong: error 0\.5", lines[1],
    )  # fmt: skip
    assert lines[3].startswith("[3/3] tiny N 256, float32, warm: ")
    assert lines[4] == f"everything is in {folder}: report.md, index.html"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["batch.png", "index.html", "ratios.png", "report.md", "roofline.png", "rows.jsonl"]
    known = read(folder)
    assert [(row.workload, row.contender, row.status) for row in known.rows[:3]] == [
        ("N 1", "gpudl", "ok"), ("N 1", "theirs", "ok"), ("N 1", "off", "wrong"),
    ]  # fmt: skip
    assert (
        known.run["command"]
        == f"gpudl bench tiny --with {tmp_path}/mine.py --seconds 0.001 --output {folder}"
    )
    assert known.run["files"][0]["path"] == str(tmp_path / "mine.py")
    assert "twice the work" in (folder / "report.md").read_text()
    for name in names[:-1]:
        (folder / name).unlink()
    again = run("bench", "report", folder)
    assert (again.returncode, again.stdout) == (0, f"written anew in {folder}: report.md, index.html\n")
    assert sorted(path.name for path in folder.iterdir()) == names
    itself = run("bench", "compare", folder, folder)
    assert itself.returncode == 0
    assert itself.stdout.startswith("6 rows timed in both runs;")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--quick"], []),
        (["--workload", "A", "--dtype", "float64"], [("a", "float64")]),
        (["--workload", "a", "--workload", "c", "--dtype", "float64", "--dtype", "float32", "--dtype", "float32"],
         [("a", "float64"), ("a", "float32"), ("c", "float64"), ("c", "float32")]),
    ],
    ids=["quick", "one", "some"],
)  # fmt: skip
def test_options_choose_problems(tmp_path, capsys, monkeypatch, options, expected):
    monkeypatch.setattr(measure, "WARM_UP_SECONDS", 1e-6)
    for name, value in (("COPY_BYTES", 1 << 16), ("MATMUL_EXTENT", 16), ("SETTLE", 0)):
        monkeypatch.setattr(cpu, name, value)
    monkeypatch.setattr(outputs, "write", lambda folder: None)
    command = ["bench", "tiny", "--seconds", "1e-5", "--output", str(tmp_path / "run"), *options]
    with registered("tiny", {"gpudl": lambda x: 2 * x}):
        assert main(command) == (0 if expected else 2)
    capsys.readouterr()
    if expected:
        assert [(row.workload, row.dtype) for row in read(tmp_path / "run").rows] == expected
    else:
        assert not (tmp_path / "run").exists()


def test_ctrl_c_keeps_what_was_measured_and_the_run_goes_on(tmp_path):
    folder, path = tmp_path / "a run", mine(tmp_path, range(1, 9))
    command = [
        "bench",
        "tiny",
        "--with",
        path,
        "--seconds",
        "0.001",
        "--dtype",
        "float32",
        "--output",
        folder,
    ]
    process = subprocess.Popen(
        gpudl_command(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    while not process.stdout.readline().startswith("[1/8"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130
    assert told == f"interrupted; go on with: gpudl bench --resume '{folder}'\n"
    before = read(folder)
    assert 1 <= len(before.done) < 8
    assert "N 1" in (folder / "report.md").read_text()
    path_of_rows = folder / "rows.jsonl"
    lines = path_of_rows.read_text().splitlines(keepends=True)
    head = json.loads(lines[0])
    head["machine"]["commit"] = "older"
    path_of_rows.write_text("".join([json.dumps(head) + "\n", *lines[1:]]))
    assert "--quick: not with --resume" in run("bench", "--resume", folder, "--quick").stderr
    done = run("bench", "--resume", folder)
    assert done.returncode == 0
    changed, _, rest = done.stdout.partition("\n")
    assert changed.startswith("other than before: commit older, now ")
    assert rest.startswith(f"{8 - len(before.done)} of 8 problems to measure, into {folder}\n")
    known = read(folder)
    assert known.rows[: len(before.rows)] == before.rows
    assert sorted(row.workload for row in known.rows if row.contender == "gpudl") == [
        f"N {n}" for n in range(1, 9)
    ]
    path.write_text(path.read_text() + "\n")
    changed = run("bench", "--resume", folder)
    assert (changed.returncode, changed.stderr.count("\n")) == (2, 1)
    assert "mine.py, which has changed since" in changed.stderr


def test_a_lost_device_keeps_what_was_measured_and_the_run_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measure, "WARM_UP_SECONDS", 1e-6)
    for name, value in (("COPY_BYTES", 1 << 16), ("MATMUL_EXTENT", 16), ("SETTLE", 0)):
        monkeypatch.setattr(cpu, name, value)
    folder = tmp_path / "run"
    with registered("tiny", {"gpudl": lambda x: 2 * x}):
        with monkeypatch.context() as fault:
            fault.setattr(cpu.CpuDevice, "lost", lambda self: "an illegal\naccess")
            status = main(["bench", "tiny", "--seconds", "1e-5", "--output", str(folder)])
        assert status == os.EX_TEMPFAIL
        assert capsys.readouterr().err == (
            f"the device is lost to this process (an illegal access); go on with: gpudl bench --resume {folder}\n"
        )
        assert len(read(folder).done) == 1
        assert (folder / "report.md").is_file()
        assert main(["bench", "--resume", str(folder)]) == 0
        assert len(read(folder).done) == 3


def test_a_terminal_gets_a_live_bar(tmp_path):
    pytest.importorskip("rich")
    master, slave = pty.openpty()
    command = gpudl_command(
        "bench", "tiny", "--with", mine(tmp_path), "--seconds", "0.001", "--output", tmp_path / "run"
    )
    process = subprocess.Popen(
        command, stdout=slave, stderr=slave, env=os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    )
    os.close(slave)
    told = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # on Linux, the end of a terminal that nobody holds open
            break
        if not part:
            break
        told += part
    os.close(master)
    assert process.wait() == 0
    assert b"3/3" in told
    assert b"tiny N 256, float32, warm: gpudl" in told


def test_list_says_what_there_is(tmp_path):
    done = run("bench", "tiny", "--list", "--with", mine(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "tests\n  tiny(x, *, by)\n    3 workloads; gpudl, theirs, off\n"
    done = run("bench", "conv2d_forward", "--list")
    assert done.stdout.startswith(
        "conv2d\n  conv2d_forward(x, weight, bias, *, stride, padding, dilation, groups)\n"
    )
    assert "gpudl, PyTorch" in done.stdout
    both, half = (
        run("bench", "counts", "--list", *options).stdout for options in ([], ["--dtype", "float16"])
    )
    assert "top_k_correct(" in both
    assert "top_k_correct(" not in half  # its counts are exact, in float32 alone
    assert "sum_and_count(" in half


def test_wrong_options_are_one_line(tmp_path, capsys):
    assert "--seconds: expected a number above 0, got 0" in refused(capsys, "bench", "--seconds", "0")
    assert "--seconds: expected a number above 0, got inf" in refused(capsys, "bench", "--seconds", "inf")
    assert "no operator begins with 'conv9'" in refused(capsys, "bench", "conv9")
    assert "nothing to measure on cpu" in refused(capsys, "bench", "conv2d", "--workload", "no such")
    assert "none.py: No such file" in refused(capsys, "bench", "--with", tmp_path / "none.py")
    assert "holds no run of gpudl bench" in refused(capsys, "bench", "--resume", tmp_path)
    for option in (
        ["--seconds", "1"],
        ["--seconds", "0"],
        ["conv2d"],
        ["--dtype", "float32"],
        ["--with", "x.py"],
        ["--device", "cpu"],
    ):
        told = refused(capsys, "bench", "--resume", tmp_path, *option)
        assert "not with --resume" in told
    for option in (["--seconds", "1"], ["--output", "x"], ["--resume", tmp_path]):
        told = refused(capsys, "bench", "--list", *option)
        assert f"{option[0]}: not with --list, which measures nothing" in told
    (tmp_path / "file").touch()
    told = refused(capsys, "bench", "relu_forward", "--quick", "--output", tmp_path / "file")
    assert f"{tmp_path / 'file'} is no folder" in told
    write_run(tmp_path / "run", [timed("gpudl", [1e-3])])
    told = refused(capsys, "bench", "conv2d_forward", "--quick", "--output", tmp_path / "run")
    assert "--output: " in told
    assert "has a run; give another folder, or --resume" in told
    done = subprocess.run(
        [sys.executable, "-m", "gpudl", "bench", "--seconds", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_compare_exits_by_what_it_finds(tmp_path, capsys):
    pytest.importorskip("scipy")
    turns = [1e-3 + 1e-6 * i for i in range(12)]
    same = write_run(tmp_path / "a", [timed("gpudl", turns), timed("PyTorch", turns)])
    slow = write_run(
        tmp_path / "b", [timed("gpudl", [1.2 * turn for turn in turns]), timed("PyTorch", turns)]
    )
    assert main(["bench", "compare", str(same), str(same / "rows.jsonl")]) == 0
    capsys.readouterr()
    assert main(["bench", "compare", str(same), str(slow)]) == 1
    assert "slower by more than 5 %: 1\n  1.20 x  conv2d_forward" in capsys.readouterr().out
    assert main(["bench", "compare", str(same), str(slow), "--relative-to", "PyTorch"]) == 1
    assert main(["bench", "compare", str(same), str(slow), "--threshold", "0.3"]) == 0
    assert main(["bench", "compare", str(slow), str(same)]) == 0
    capsys.readouterr()


def test_compare_and_report_refuse_what_is_no_run(tmp_path, capsys):
    good = write_run(tmp_path / "a", [timed("gpudl", [1e-3])])
    empty = write_run(tmp_path / "empty", [])
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"kind": "row"}) + "\n")

    def told(*words):
        assert main(["bench", *map(str, words)]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"gpudl bench {words[0]}: ")
        return err

    assert "No such file" in told("compare", good, tmp_path / "none")
    assert "bad.jsonl, line 1: expected the head of a run" in told("compare", good, bad)
    assert "the runs have no row in common" in told("compare", good, empty)
    assert "threshold must be a number of 0 or more, got -1" in told(
        "compare", good, good, "--threshold", "-1"
    )
    assert "there is no contender 'x' in both runs" in told("compare", good, good, "--relative-to", "x")
    assert "holds no run of gpudl bench" in told("report", tmp_path)
    (empty / "rows.jsonl").write_text("{}\n")
    assert "rows.jsonl, line 1" in told("report", empty)

"""Which problems a run takes, and that each is measured once, whenever the run is killed."""

import collections
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gpudl.bench import operators, record
from gpudl.bench import session as session_module
from gpudl.bench.contender import CONTENDERS
from gpudl.bench.device import DeviceLostError
from gpudl.bench.record import RecordError, read
from gpudl.bench.session import Selection, Session, load_again, load_file
from tests.bench.records import Clock, FakeDevice, registered
from tests.support.arrays import assert_refuses


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    operators.load()


def selected(*names, device="cpu", **options):
    return [problem.key for problem in Selection(names, **options).problems(device)]


def test_selection_by_name_family_and_words():
    family = selected("conv2d")
    forward = selected("conv2d_forward")
    assert {key[0] for key in family} >= {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight"}
    assert {key[0] for key in forward} == {"conv2d_forward"}
    assert set(forward) < set(family) <= set(selected())
    assert len(set(family)) == len(family)
    words = selected("conv2d_forward", workloads=("3X3", "no such"))
    assert words == [key for key in forward if "3x3" in key[1]]
    assert 0 < len(selected("conv2d_forward", quick=True)) < len(forward)
    both = selected("conv2d_forward", dtypes=("float16", "float32"))
    assert collections.Counter(key[2] for key in both) == {"float16": len(forward), "float32": len(forward)}


def test_selections_of_nothing():
    assert_refuses(
        lambda: selected("conv3d"), ValueError, "no operator begins with 'conv3d'; the families are "
    )
    assert_refuses(
        lambda: selected("relu", workloads=("no such", "x"), dtypes=("float16", "float32"), quick=True), ValueError,
        "nothing to measure on cpu of relu in float16, float32 whose workload has 'no such' or 'x' among the few sizes of --quick",
    )  # fmt: skip
    with registered("double", {}, devices=("cuda",)):
        assert_refuses(
            lambda: selected("double"), ValueError,
            "nothing to measure on cpu of double in float32; on cuda there is (--device cuda)",
        )  # fmt: skip
        assert len(selected("double", device="cuda")) == 3
    with registered("double", {}, dtypes=("bfloat16", "float32")):
        assert_refuses(
            lambda: selected("double", dtypes=("float16", "float64")), ValueError,
            "nothing to measure on cpu of double in float16, float64; there is in float32, bfloat16 (--dtype float32)",
        )  # fmt: skip


def test_a_selection_goes_through_a_record():
    selection = Selection(("conv2d",), ("a", "b"), ("float16",), True)
    assert Selection.of(json.loads(json.dumps(selection.plain()))) == selection


@pytest.mark.parametrize(
    "plain",
    [{}, {"operators": [], "workloads": [], "dtypes": [], "quick": 1}, {"operators": "a", "workloads": [], "dtypes": [], "quick": True},
     {"operators": [3], "workloads": [], "dtypes": [], "quick": True}],
    ids=["empty", "quick", "text", "numbers"],
)  # fmt: skip
def test_what_is_no_selection(plain):
    assert_refuses(lambda: Selection.of(plain), ValueError, "not a selection of problems")


def user_file(folder, text):
    path = folder / "mine.py"
    path.write_text("from gpudl import bench\n" + textwrap.dedent(text))
    return path


MINE = """
    @bench.contender("double", name="mine")
    def mine(x):
        return x + x
"""


def test_a_file_registers_contenders(tmp_path):
    path = user_file(tmp_path, MINE)
    with registered("double", {}):
        (entry,) = load_file(path)
        assert entry["path"] == str(path)
        assert CONTENDERS["double"]["mine"].function(2) == 4
        del CONTENDERS["double"]["mine"]
        load_again([entry])
        assert "mine" in CONTENDERS["double"]
        path.write_text(path.read_text() + "# changed\n")
        assert_refuses(lambda: load_again([entry]), ValueError, "mine.py, which has changed since")
        path.unlink()
        assert_refuses(lambda: load_again([entry]), ValueError, "mine.py, which is gone")


def test_kernels_that_a_file_compiles_are_of_the_run_too(tmp_path):
    source = tmp_path / "mine.cu"
    source.write_text("// kernels\n")
    path = user_file(tmp_path, f"bench.compile({str(source)!r})\nbench.compile({str(source)!r})\n" + textwrap.dedent(MINE))  # fmt: skip
    with registered("double", {}):
        entries = load_file(path)
        assert [entry["path"] for entry in entries] == [str(path), str(source)]
        del CONTENDERS["double"]["mine"]
        load_again(entries)
        del CONTENDERS["double"]["mine"]
        source.write_text("// other kernels\n")
        assert_refuses(lambda: load_again(entries), ValueError, "mine.cu, which has changed since")
        assert "mine" not in CONTENDERS["double"]


def test_headers_of_kernels_are_of_the_run_too(tmp_path):
    """Those beside a file and in its folders of headers, and theirs, each once; not those of a library."""
    for name, text in {
        "mine.cu": '#include <vector>\n#include "simt.h"\n#include "near.h"\n  # include "far.h"\n// kernels',
        "near.h": '#include "sub/deep.h"\n#include "mine.cu"\n// #include "unused.h"',
        "sub/deep.h": '#include "../near.h"\n#include "beside.h"',
        "sub/beside.h": "",
        "beside.h": "",
        "unused.h": "",
        "include/far.h": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    source, folder = tmp_path / "mine.cu", tmp_path / "include"
    path = user_file(
        tmp_path, f"bench.compile({str(source)!r}, include=({str(folder)!r},))\n" + textwrap.dedent(MINE)
    )
    with registered("double", {}):
        entries = load_file(path)
        names = [str(Path(entry["path"]).relative_to(tmp_path)) for entry in entries]
        assert names == ["mine.py", "mine.cu", "near.h", "include/far.h", "sub/deep.h", "sub/beside.h"]
        (tmp_path / "sub/beside.h").write_text("// other kernels\n")
        assert_refuses(lambda: load_again(entries), ValueError, "beside.h, which has changed since")


def test_a_file_is_a_module_that_others_find(tmp_path):
    """As the decorator of a data class does, where annotations are strings."""
    path = tmp_path / "mine.py"
    text = (
        "import dataclasses\nfrom gpudl import bench\n@dataclasses.dataclass\nclass Size:\n    n: int = 2\n"
    )
    path.write_text("from __future__ import annotations\n" + text + textwrap.dedent(MINE))
    with registered("double", {}):
        load_file(path)
        assert CONTENDERS["double"]["mine"].function(2) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "mine.py registers no contender"),
        ("x = (", "mine.py: SyntaxError: "),
        ("raise SystemExit(3)", "mine.py: SystemExit: 3"),
        ("1 / 0", "mine.py: ZeroDivisionError: division by zero"),
        ("import no_such_module", "mine.py: ModuleNotFoundError: No module named 'no_such_module'"),
        ('bench.contender("no_such", name="a")(abs)', "there is no operator no_such; gpudl bench --list"),
        ('bench.contender("double", name="gpudl")(abs)', "double has a contender 'gpudl' already"),
    ],
    ids=["nothing", "syntax", "exits", "raises", "import", "operator", "twice"],
)
def test_files_that_do_not_fit(tmp_path, text, words):
    with registered("double", {"gpudl": abs}):
        assert_refuses(lambda: load_file(user_file(tmp_path, text)), ValueError, words)
    CONTENDERS.pop("no_such", None)


def test_files_that_are_none(tmp_path):
    assert_refuses(lambda: load_file(tmp_path / "none.py"), ValueError, "none.py: No such file")
    (tmp_path / "a.txt").write_text("")
    assert_refuses(lambda: load_file(tmp_path / "a.txt"), ValueError, "expected a Python file")


def session(folder, clock, **options):
    options = {"selection": Selection(("double",)), "seconds": 0.1} | options
    return Session(folder, FakeDevice(clock), options.pop("selection"), **options)


def ignore(_):
    pass


def test_a_run_measures_ours_first_and_leaves_a_record(tmp_path):
    clock, started = Clock(), []
    with registered("double", {"b": clock.doubling("b", 0.1), "gpudl": clock.doubling("gpudl", 0.1)}):
        run = session(tmp_path / "a" / "run", clock, command=["gpudl", "bench", "a b"])
        assert [problem.workload for problem in run.left] == ["a", "b", "c"]
        run.run(lambda problem: started.append(problem.workload), ignore)
        assert run.left == []
    known = read(tmp_path / "a" / "run")
    assert started == ["a", "b", "c"]
    assert [(row.workload, row.contender) for row in known.rows] == [
        (workload, name) for workload in "abc" for name in ("gpudl", "b")
    ]
    assert known.run["command"] == "gpudl bench 'a b'"
    assert known.run["device"] == {"name": "cpu", "cpu": "imagined"}
    assert known.run["seconds"] == 0.1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", known.run["started"])
    assert known.run["machine"]["packages"]["numpy"]
    assert [(each.name, each.value, each.unit) for each in known.ceilings] == [
        ("copy", 1e9, "B/s"), ("matmul float32", 1e10, "FLOP/s"), ("matmul float64", 5e9, "FLOP/s"), ("launch", 1e-6, "s"),
    ]  # fmt: skip


def test_an_interrupted_run_keeps_whole_problems_and_goes_on(tmp_path):
    clock = Clock()

    def stop_at_b(problem):
        if problem.workload == "b":
            raise KeyboardInterrupt

    with registered("double", {"gpudl": clock.doubling("gpudl", 0.1)}):
        with pytest.raises(KeyboardInterrupt):
            session(tmp_path, clock).run(stop_at_b, ignore)
        assert [row.workload for row in read(tmp_path).rows] == ["a"]
        again = session(tmp_path, clock, resume=True)
        assert [problem.workload for problem in again.left] == ["b", "c"]
        again.run(ignore, ignore)
        known = read(tmp_path)
        assert [row.workload for row in known.rows] == ["a", "b", "c"]
        assert len(known.resumed) == 1
        assert [each.name for each in known.ceilings].count("copy") == 2
        # once more: nothing is left, so no ceilings are measured either
        session(tmp_path, clock, resume=True).run(ignore, ignore)
        assert [each.name for each in read(tmp_path).ceilings].count("copy") == 2


def test_a_run_ends_with_the_problem_that_costs_the_device(tmp_path):
    """Its rows are there, so that the process that goes on leaves it alone."""
    clock, shown = Clock(), []

    class Frail(FakeDevice):
        fault = None

        def lost(self):
            return self.fault

    def breaks(x):
        device.fault = "an illegal access"
        raise RuntimeError("broken")

    with registered("double", {"gpudl": clock.doubling("gpudl", 0.1), "bad": breaks}):
        device = Frail(clock)
        with pytest.raises(DeviceLostError, match="an illegal access"):
            Session(tmp_path, device, Selection(("double",)), seconds=0.1).run(ignore, shown.append)
        assert [row.contender for row in read(tmp_path).rows] == ["gpudl", "bad"]
        assert len(shown) == 1, "what happened is told"
        again = session(tmp_path, clock, resume=True)
        assert [problem.workload for problem in again.left] == ["b", "c"]
        again.run(ignore, ignore)


def test_a_run_that_goes_on_says_what_has_changed(tmp_path, monkeypatch):
    clock = Clock()

    def version(commit, numpy, cores):
        monkeypatch.setattr(
            session_module, "machine", lambda: {"python": "3.11", "packages": numpy, "commit": commit}
        )
        monkeypatch.setattr(FakeDevice, "describe", lambda self: {"cpu": "imagined", "cores": cores})

    def changed(**options):
        made = session(tmp_path, clock, **options)
        made.run(ignore, ignore)
        return made.changed

    with registered("double", {"gpudl": clock.doubling("gpudl", 0.1)}):
        version("abc", {"numpy": "2.3"}, 2)
        assert changed() == []
        assert changed(resume=True) == []
        version("def", {"numpy": "2.4", "torch": "2.9"}, 4)
        assert changed(resume=True) == [
            "numpy 2.3, now 2.4", "commit abc, now def", "cores 2, now 4", "torch None, now 2.9",
        ]  # fmt: skip
        assert changed(resume=True) == [], "compared with the last process"


def test_a_run_goes_on_with_its_own_selection_only(tmp_path):
    clock = Clock()
    with registered("double", {"gpudl": clock.doubling("gpudl", 0.1)}):
        session(tmp_path, clock).run(ignore, ignore)
        data = (tmp_path / record.NAME).read_bytes()
        other = Selection(("double",), dtypes=("float64",))
        assert_refuses(
            lambda: session(tmp_path, clock, selection=other, resume=True), ValueError, "a run on cpu of another selection"
        )  # fmt: skip
        with pytest.raises(FileExistsError):
            session(tmp_path, clock)
        assert_refuses(lambda: session(tmp_path / "x", clock, selection=Selection(("nothing",))), ValueError, "no operator")  # fmt: skip
        assert not (tmp_path / "x").exists()
        running = session(tmp_path, clock, resume=True)
        assert_refuses(
            lambda: session(tmp_path, clock, resume=True), RecordError, "another gpudl bench is at work"
        )
        running.run(ignore, ignore)
    assert (tmp_path / record.NAME).read_bytes().startswith(data)


CHILD = """
import sys
from pathlib import Path
from gpudl.bench.session import Selection, Session
from tests.bench.records import Clock, FakeDevice, registered

clock = Clock()
with registered("double", {"gpudl": clock.doubling("gpudl", 1e-2), "b": clock.doubling("b", 2e-2)},
                workloads=[f"workload {i}" for i in range(40)]):
    folder = Path(sys.argv[1])
    resume = (folder / "rows.jsonl").exists()
    session = Session(folder, FakeDevice(clock), Selection(("double",)), seconds=1e-9, resume=resume)
    print("ready", flush=True)
    session.run(lambda problem: None, lambda rows: None)
print("done", flush=True)
"""


def test_killed_at_any_moment_each_problem_is_there_once(tmp_path):
    """SIGKILL after another count of problems each time, in the midst of the next one, until a process gets to the end."""
    kills = 0
    for attempt in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=os.environ
        )
        assert process.stdout.readline() == "ready\n"
        path, target = tmp_path / record.NAME, 5 + 7 * attempt
        while process.poll() is None and path.read_bytes().count(b'"kind":"done"') < target:
            time.sleep(1e-4)
        process.send_signal(signal.SIGKILL)
        if "done" in process.communicate()[0]:
            break
        kills += 1
    known = read(tmp_path)
    counts = collections.Counter((row.workload, row.contender) for row in known.rows)
    assert kills >= 3
    assert counts == {(f"workload {i}", name): 1 for i in range(40) for name in ("gpudl", "b")}
    assert len(known.resumed) == kills

"""A visit to a machine with a GPU: who gets how much of the time, what is stopped, what is left out, what is written."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpudl.bench import operators
from gpudl.bench.problem import OPERATORS
from gpudl.bench.session import Selection

ROOT = Path(__file__).resolve().parents[2]


def load():
    spec = importlib.util.spec_from_file_location("run_gpu", ROOT / "bench" / "run_gpu.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


run_gpu = load()
Part = run_gpu.Part


class Machine:
    """Parts take the seconds that their command names, and end with the status after them; the clock is ours."""

    def __init__(self):
        self.now, self.begun = 1000.0, []

    def clock(self):
        return self.now

    def execute(self, command, seconds, log):
        takes, status = float(command[0]), int(command[1])
        self.begun.append((log.name, seconds))
        log.write_text("said\n")
        self.now += min(takes, seconds)
        return status if takes <= seconds else None


def part(name, takes, status=0, **options):
    return Part(name, (str(takes), str(status)), **options)


@pytest.fixture
def machine():
    return Machine()


def states(outcomes):
    return {each.name: each.state for each in outcomes}


def test_each_part_has_what_is_left(machine, tmp_path):
    parts = [part("one", 100), part("two", 50), part("three", 1000), part("four", 1)]
    outcomes = run_gpu.visit(parts, 600, tmp_path, machine.execute, machine.clock)
    grace = run_gpu.GRACE
    assert machine.begun == [("one.log", 600 - grace), ("two.log", 500 - grace), ("three.log", 450 - grace)]
    assert states(outcomes) == {"one": "ran", "two": "ran", "three": "out of time", "four": "left out"}
    assert outcomes[0].seconds == 100
    assert outcomes[3].detail == "10 s are left"
    assert machine.now <= 1000 + 600


def test_a_share_leaves_time_for_the_others(machine, tmp_path):
    parts = [part("tests", 1000, share=0.4), part("rows", 100)]
    outcomes = run_gpu.visit(parts, 610, tmp_path, machine.execute, machine.clock)
    assert machine.begun == [("tests.log", 240.0), ("rows.log", 610 - 240 - run_gpu.GRACE)]
    assert states(outcomes) == {"tests": "out of time", "rows": "ran"}


@pytest.mark.parametrize(
    ("build", "state"), [((5, 1), "failed"), ((1e6, 0), "out of time")], ids=["failed", "out of time"]
)
def test_what_needs_a_build_that_did_not_end_well_is_left_out(machine, tmp_path, build, state):
    parts = [part("build", *build, share=0.1), part("rows", 10, needs="build"), part("other", 10)]
    outcomes = run_gpu.visit(parts, 600, tmp_path, machine.execute, machine.clock)
    assert states(outcomes) == {"build": state, "rows": "left out", "other": "ran"}
    assert outcomes[1].detail == "needs build"


def test_tests_that_fail_stop_nothing(machine, tmp_path):
    parts = [part("build", 5), part("tests", 5, 1, needs="build"), part("rows", 5, needs="build")]
    outcomes = run_gpu.visit(parts, 600, tmp_path, machine.execute, machine.clock)
    assert states(outcomes) == {"build": "ran", "tests": "failed", "rows": "ran"}
    assert outcomes[1].detail == "exit status 1: said"


def test_a_benchmark_that_loses_the_gpu_goes_on_in_another_process(machine, tmp_path):
    further = iter([("30", str(run_gpu.LOST)), ("40", "0")])

    def execute(command, seconds, log):
        return machine.execute(next(further) if command == ("further",) else command, seconds, log)

    parts = [part("rows", 20, run_gpu.LOST, share=0.5, further=("further",)), part("other", 5)]
    outcomes = run_gpu.visit(parts, 610, tmp_path, execute, machine.clock)
    assert machine.begun == [
        ("rows.log", 300.0),
        ("rows.log", 280.0),
        ("rows.log", 250.0),
        ("other.log", 510.0),
    ]
    assert states(outcomes) == {"rows": "failed", "other": "ran"}
    assert (outcomes[0].seconds, outcomes[0].detail) == (90, "faults that cost the GPU: 2")


@pytest.mark.parametrize("last", [run_gpu.LOST, 3])
def test_faults_end_where_nothing_goes_on(machine, tmp_path, last):
    """With the time of the part, or with another failure; a part that nothing goes on with ends at once."""

    def execute(command, seconds, log):
        return machine.execute(("100", str(last)) if command == ("further",) else command, seconds, log)

    parts = [part("rows", 20, run_gpu.LOST, share=0.5, further=("further",)), part("build", 5, run_gpu.LOST)]
    rows, build = run_gpu.visit(parts, 610, tmp_path, execute, machine.clock)
    stopped = "faults that cost the GPU: 3; stopped after 300 s"
    failed = "faults that cost the GPU: 1; exit status 3: said"
    assert (rows.state, rows.detail) == (
        ("out of time", stopped) if last == run_gpu.LOST else ("failed", failed)
    )
    assert build.detail == f"exit status {run_gpu.LOST}: said"


def test_a_command_that_is_not_there_has_failed(machine, tmp_path):
    def execute(command, seconds, log):
        raise FileNotFoundError("no such file: nvcc")

    (outcome,) = run_gpu.visit([part("build", 5)], 600, tmp_path, execute, machine.clock)
    assert (outcome.state, outcome.detail) == ("failed", "no such file: nvcc")


def test_the_summary_is_there_after_each_part(machine, tmp_path):
    seen = []

    def execute(command, seconds, log):
        if seen or log.name == "two.log":
            seen.append((tmp_path / "summary.txt").read_text())
        return machine.execute(command, seconds, log)

    run_gpu.visit([part("one", 7), part("two", 3, 4)], 600, tmp_path, execute, machine.clock)
    assert [line.split() for line in seen[0].splitlines()] == [
        ["ran", "7", "s", "one"],
        ["to", "come", "two"],
    ]
    assert (tmp_path / "summary.txt").read_text().splitlines()[1].split() == [
        "failed",
        "3",
        "s",
        "two",
        "(exit",
        "status",
        "4:",
        "said)",
    ]
    assert [each["name"] for each in json.loads((tmp_path / "summary.json").read_text())] == ["one", "two"]


# ---- the parts themselves


def benchmarks(tmp_path):
    return [each for each in run_gpu.parts(tmp_path, 0.3) if each.name not in ("machine", "build", "tests")]


def test_build_comes_first_then_tests_then_the_convolutions_of_resnet_50(tmp_path):
    machine, build, tests, first, *_ = run_gpu.parts(tmp_path, 0.3)
    assert (machine.name, build.needs) == ("machine", "machine")
    assert build.command[1:] == ("setup.py", "build_ext", "--inplace")
    assert build.share < 1
    assert "cuda and not slow" in tests.command
    assert tests.share < 1
    assert "conv2d_forward" in first.command
    assert "ResNet-50" in first.command
    assert {tests.needs, *(each.needs for each in benchmarks(tmp_path))} == {"build"}


def test_every_benchmark_measures_something_and_none_twice_the_same(tmp_path):
    operators.load()
    seen = []
    for _, names, dtypes, workloads, quick in run_gpu.BENCHMARKS:
        assert Selection(names, workloads, dtypes, quick).problems("cuda")
        seen.append((names, dtypes, workloads, quick))
    assert len(seen) == len(set(seen))
    assert len({each.command[each.command.index("--output") + 1] for each in benchmarks(tmp_path)}) == len(
        seen
    )


def test_every_operator_is_in_a_benchmark():
    operators.load()
    names = {name for _, those, *_ in run_gpu.BENCHMARKS for name in those}
    for each in OPERATORS.values():
        assert each.family in names or any(each.name.startswith(name) for name in names), each.name


def test_the_command_line_of_each_benchmark_is_understood(tmp_path):
    import argparse

    from gpudl.cli import bench

    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    for each in benchmarks(tmp_path):
        arguments = parser.parse_args(list(each.command[4:]))
        assert arguments.device == "cuda"
        assert arguments.seconds == 0.3
        assert arguments.output.parent == tmp_path / "rows"
        again = parser.parse_args(list(each.further[4:]))
        assert again.resume == arguments.output
        assert each.share < 1, "one that hangs leaves time for the others"


def test_the_marker_that_the_tests_are_chosen_by_is_that_of_the_executor():
    from tests.support.arrays import EXECUTORS

    cuda = next(each for each in EXECUTORS if each.id == "cuda")
    assert "cuda" in [mark.name for mark in cuda.marks]


def test_several_processes_test_where_there_is_pytest_xdist(tmp_path, monkeypatch):
    def tests():
        return next(each.command for each in run_gpu.parts(tmp_path, 0.3) if each.name == "tests")

    monkeypatch.setattr(run_gpu.importlib.util, "find_spec", lambda name: None)
    assert "-n" not in tests()
    monkeypatch.setattr(
        run_gpu.importlib.util, "find_spec", lambda name: object() if name == "xdist" else None
    )
    assert tests()[-2:] == ("-n", str(run_gpu.WORKERS))


# ---- real processes


FAULT = """
import sys
import types

import pytest

pytestmark = pytest.mark.cuda
state = {"lost": False}


def synchronize():
    if state["lost"]:
        raise RuntimeError("cudaErrorIllegalAddress")


@pytest.fixture(autouse=True)
def gpu():
    assert not state["lost"]
    runtime = types.SimpleNamespace(deviceSynchronize=synchronize)
    sys.modules["cupy"] = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))


@pytest.mark.parametrize("i", range(6))
def test_kernel(i):
    state["lost"] = i == 2
    assert i != 2
"""


def test_a_fault_costs_one_test(tmp_path):
    """Where several processes test: its own is replaced by another."""
    pytest.importorskip("xdist")
    (tmp_path / "conftest.py").write_text(
        "from gpudl import _backend\n_backend.unavailable_because = lambda name: None\n"
        "from tests.conftest import pytest_runtest_teardown\n"
    )
    (tmp_path / "test_fault.py").write_text(FAULT)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = cuda: on a GPU\n")
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "crashed while running 'test_fault.py::test_kernel[2]'" in done.stdout
    # It fails twice where its own words arrive before its process ends.
    assert re.search("[12] failed, 5 passed", done.stdout), done.stdout


PYTHON = sys.executable
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def execute(tmp_path, code, seconds, variables=None):
    log = tmp_path / "part.log"
    status = run_gpu.execute_with(variables or os.environ)((PYTHON, "-c", code), seconds, log)
    return status, log.read_text()


CUPY = """class runtime:
    def getDeviceCount():
        raise RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
class cuda:
    runtime = runtime
"""


@pytest.mark.parametrize(
    ("cupy", "variables", "words"),
    [
        (CUPY, {}, "RuntimeError: cudaErrorNoDevice: no CUDA-capable device is detected"),
        (CUPY.replace("raise", "return"), {"GPUDL_CUDA": "off"}, "it was switched off by GPUDL_CUDA"),
        ("raise ImportError('no CuPy here')", {}, "ImportError: no CuPy here"),
    ],
    ids=["no GPU", "no build", "no CuPy"],
)
def test_a_machine_that_cannot_be_visited_is_told_in_a_line_and_nothing_is_begun(
    tmp_path, capsys, monkeypatch, cupy, variables, words
):
    (tmp_path / "cupy.py").write_text(cupy)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run_gpu.main(["--minutes", "9", "--output", str(tmp_path / "visit")]) == 1
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith(f"machine (exit status 1: {words})")
    assert second.endswith("build (needs machine)")
    assert len(rest) == 1 + len(run_gpu.BENCHMARKS)
    assert all(line.endswith(" (needs build)") for line in rest)


def test_output_and_status_of_a_process_are_kept(tmp_path):
    status, log = execute(
        tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", 60
    )
    assert status == 3
    command, *said = log.splitlines()
    assert command.startswith(f"$ {PYTHON} -c ")
    assert sorted(said) == ["err", "out"]


def test_a_part_of_two_processes_has_one_log(tmp_path):
    execute(tmp_path, "print('one')", 60)
    assert execute(tmp_path, "print('two')", 60)[1].splitlines()[1::2] == ["one", "two"]


def test_a_process_that_takes_too_long_is_told_to_end_and_may_tidy_up(tmp_path):
    code = """import time
try:
    print('up', flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print('tidied up')
"""
    status, log = execute(tmp_path, code, 1.0)
    assert status is None
    assert log.splitlines()[-2:] == ["up", "tidied up"]


def test_parts_may_tidy_up_in_the_background_of_a_shell_too(tmp_path, monkeypatch):
    """Where Ctrl-C is ignored, and would be by every process that is begun there."""
    code = "import time\ntry:\n    print('up', flush=True)\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    print('tidied')"
    part = Part("rows", (PYTHON, "-c", code), share=1 / 290, least=0.5)
    monkeypatch.setattr(run_gpu, "parts", lambda folder, seconds: [part])
    monkeypatch.setattr(run_gpu, "note_versions", lambda folder, variables: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_gpu.main(["--minutes", "5", "--output", str(tmp_path / "visit")]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "visit" / "rows.log").read_text().splitlines()[-2:] == ["up", "tidied"]


def test_a_process_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(run_gpu, "GRACE", 0.4)
    start = time.monotonic()
    status, _ = execute(tmp_path, STUBBORN, 1.0)
    assert status is None
    assert time.monotonic() - start < 60


def test_a_visit_with_commands_replaced(tmp_path, monkeypatch, capsys):
    """All of main, with processes that print in the place of those that need a GPU."""
    folder, wheels = tmp_path / "visit", tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "one-1.0-py3-none-any.whl").touch()

    def said(code):
        return (PYTHON, "-c", code)

    monkeypatch.setattr(
        run_gpu, "carried", lambda wheels, folder: Part("packages", said(f"print({str(wheels)!r})"))
    )
    monkeypatch.setattr(
        run_gpu,
        "parts",
        lambda folder, seconds: [
            Part("build", said("import os; print(os.environ['GPUDL_CUDA_ARCHITECTURES'])")),
            Part("tests", said("raise SystemExit(1)"), needs="build"),
            Part("rows", said("import os; print(os.environ['PYTHONPATH'])"), needs="build"),
            Part("late", said("print('never')"), least=1e6),
        ],
    )
    monkeypatch.delenv("GPUDL_CUDA_ARCHITECTURES", raising=False)
    assert run_gpu.main(["--minutes", "5", "--output", str(folder), "--wheels", str(wheels)]) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "build.log", "packages.log", "rows.log", "summary.json", "summary.txt", "tests.log", "versions.txt",
    ]  # fmt: skip
    assert (folder / "build.log").read_text().splitlines()[1] == "native"
    assert (folder / "rows.log").read_text().splitlines()[1].split(os.pathsep)[:2] == [
        str(ROOT),
        str(folder / "packages"),
    ]
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["ran", "ran", "failed", "ran", "left"]
    versions = (folder / "versions.txt").read_text()
    for heading in ("== commit", "== GPU", "== nvcc", "== Python\nPython 3.", "== packages"):
        assert heading in versions


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes", "0", "--output", "x"], "must be above 0, got 0 and 0.3"),
        (["--seconds", "-1", "--output", "x"], "must be above 0, got 9 and -1"),
        (["--output", "x", "--wheels", "nowhere"], "--wheels: there are none in nowhere"),
        ([], "--output"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        run_gpu.main(arguments)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_folder_that_is_there_is_not_written_to(tmp_path):
    with pytest.raises(FileExistsError):
        run_gpu.main(["--output", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []

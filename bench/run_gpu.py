"""One visit to a machine with a GPU: build, test, measure, within so many minutes, everything into one folder.

    python bench/run_gpu.py --minutes 9 --output visit

The machine has CuPy, CUDA's toolkit and what gpudl needs, and may have no network; nothing is downloaded, and nothing
of the machine is changed. Looks for GPU, CuPy and nvcc, builds gpudl._cuda beside its sources, runs the tests that need
a GPU, then the benchmarks in order of worth. Each part is a process of its own with a share of the time that is left;
one that takes longer is stopped, and what it had measured stays. A benchmark that loses the GPU to a fault of a kernel
goes on in a new process. The folder has a log of each part, versions, the rows of the benchmarks, and summary.txt,
which is written anew after each part. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GRACE = 10.0  # seconds that a part has to end after it was told to
QUESTION = 30.0  # seconds for a version
# Processes that test, where pytest-xdist is: what is expected is slow to compute.
WORKERS = min(8, os.cpu_count() or 1)
LONGEST = 200  # characters of last words
# Of gpudl bench: the fault of a kernel took the GPU from the process, and another one may go on.
LOST = os.EX_TEMPFAIL

Command = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Part:
    """One process of the visit.

    share : of the time that is left, at most. least : seconds without which it is not begun. needs : the name of a part
    that must have ended well. further : goes on where the command ended with the status LOST.
    """

    name: str
    command: Command
    share: float = 1.0
    least: float = 20.0
    needs: str | None = None
    further: Command | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """state : "ran", "failed", "out of time" or "left out". detail : why; of one that failed, its last words."""

    name: str
    state: str
    seconds: float = 0.0
    detail: str = ""


# Runs a command for so many seconds, its output into a file: its exit status, None where it was stopped.
Execute = Callable[[Command, float, Path], int | None]


def visit(
    parts: Sequence[Part], seconds: float, folder: Path, execute: Execute, clock: Callable[[], float]
) -> list[Outcome]:
    """The parts in turn, each with its share of what is left."""
    end = clock() + seconds
    outcomes: list[Outcome] = []
    for part in parts:
        outcomes.append(_outcome(part, end - clock(), outcomes, folder, execute, clock))
        write_summary(folder, outcomes, parts)
    return outcomes


def _outcome(
    part: Part, left: float, before: Sequence[Outcome], folder: Path, execute: Execute, clock: Callable[[], float]
) -> Outcome:  # fmt: skip
    needed = next((each for each in before if each.name == part.needs), None)
    if part.needs is not None and (needed is None or needed.state != "ran"):
        return Outcome(part.name, "left out", detail=f"needs {part.needs}")
    allowed = (left - GRACE) * part.share
    if allowed < part.least:
        return Outcome(part.name, "left out", detail=f"{max(left, 0):.0f} s are left")
    start, log = clock(), folder / f"{part.name}.log"
    faults = 0
    try:
        status = execute(part.command, allowed, log)
        while status == LOST and part.further is not None:
            faults += 1
            status = execute(part.further, allowed - (clock() - start), log)
    except OSError as error:
        return Outcome(part.name, "failed", clock() - start, str(error))
    took = clock() - start
    remarks = [f"faults that cost the GPU: {faults}"] * bool(faults)
    if status is None:
        remarks.append(f"stopped after {allowed:.0f} s")
        return Outcome(part.name, "out of time", took, "; ".join(remarks))
    if status:
        remarks.append(f"exit status {status}: {_last_words(log)}")
    return Outcome(part.name, "failed" if remarks else "ran", took, "; ".join(remarks))


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip()[:LONGEST] for line in reversed(lines) if line.strip()), "nothing was said")


def write_summary(folder: Path, outcomes: Sequence[Outcome], parts: Sequence[Part]) -> str:
    """summary.txt and summary.json; returns the text."""
    lines = [
        f"{each.state:<12} {each.seconds:6.0f} s  {each.name}{f' ({each.detail})' if each.detail else ''}"
        for each in outcomes
    ]
    lines += [f"{'to come':<12} {'':>6}    {part.name}" for part in parts[len(outcomes) :]]
    text = "\n".join(lines) + "\n"
    (folder / "summary.txt").write_text(text)
    table = [dataclasses.asdict(each) for each in outcomes]
    (folder / "summary.json").write_text(json.dumps(table, indent=2) + "\n")
    return text


# ---- what is run

# Fails with the reason where there is nothing to visit.
MACHINE = """import sys
import cupy
cupy.cuda.runtime.getDeviceCount()  # an error where there is no GPU
sys.path.insert(0, "csrc")
import build_cuda
sys.exit(build_cuda.missing_because())"""
CONVOLUTIONS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")
HALF_AND_SINGLE = ("bfloat16", "float32")
REST = (
    "transforms", "moves", "flat", "noise", "philox", "counts", "conv1d", "conv_transpose2d", "conv2d_backward_bias",
)  # fmt: skip
# Name, operators and families, dtypes, words of the workloads, and whether a few telling sizes will do; best first.
BENCHMARKS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], bool], ...] = (
    ("conv2d-bfloat16", CONVOLUTIONS, ("bfloat16",), ("ResNet-50",), True),
    ("conv2d-float32", CONVOLUTIONS, ("float32",), ("ResNet-50",), True),
    ("batch-norm", ("batch_norm",), HALF_AND_SINGLE, (), True),
    ("pool", ("pool",), HALF_AND_SINGLE, (), True),
    ("optimizers", ("optimizers",), ("float32",), (), True),
    ("softmax-and-losses", ("softmax", "losses"), HALF_AND_SINGLE, (), True),
    ("training", ("training",), ("float32",), (), True),
    ("activations-and-dropout", ("activations", "dropout"), HALF_AND_SINGLE, (), True),
    ("linear-and-norms", ("linear", "layer_norm", "group_norm"), HALF_AND_SINGLE, (), True),
    (
        "conv2d-others",
        CONVOLUTIONS,
        ("bfloat16", "float16", "float32"),
        ("VGG", "MobileNet", "ResNeXt"),
        True,
    ),
    ("the-rest", REST, ("float32",), (), True),
    ("conv2d-all", CONVOLUTIONS, ("bfloat16", "float32", "float16"), ("ResNet-50",), False),
    ("batch-norm-all", ("batch_norm",), HALF_AND_SINGLE, ("ResNet-50",), False),
    ("conv2d-small-networks", CONVOLUTIONS, ("float32",), ("CIFAR", "LeNet"), False),
)


def parts(folder: Path, seconds_each: float) -> list[Part]:
    python = sys.executable
    tests = (
        python,
        "-m",
        "pytest",
        "-q",
        "-m",
        "cuda and not slow",
        "-p",
        "no:cacheprovider",
        "--maxfail=50",  # more failures say nothing new, and time on a GPU is short
        *(("-n", str(WORKERS)) if importlib.util.find_spec("xdist") else ()),
    )
    found = [
        Part("machine", (python, "-c", MACHINE), least=5.0),
        Part("build", (python, "setup.py", "build_ext", "--inplace"), share=0.6, needs="machine"),
        Part("tests", tests, share=0.4, needs="build"),
    ]
    for name, operators, dtypes, workloads, quick in BENCHMARKS:
        command = [
            python,
            "-m",
            "gpudl",
            "bench",
            *operators,
            "--device",
            "cuda",
            "--seconds",
            f"{seconds_each:g}",
        ]
        for dtype in dtypes:
            command += ["--dtype", dtype]
        for words in workloads:
            command += ["--workload", words]
        rows = str(folder / "rows" / name)
        command += ["--quick"] * quick + ["--output", rows]
        further = (python, "-m", "gpudl", "bench", "--resume", rows)
        # Half, so that a kernel that hangs does not take all the time of the others.
        found.append(Part(name, tuple(command), share=0.5, needs="build", further=further))
    return found


# ---- processes


def environment(folder: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Kernels for the GPU at hand; gpudl and carried packages from where they are."""
    path = [str(ROOT), str(folder / "packages"), inherited.get("PYTHONPATH", "")]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "GPUDL_CUDA_ARCHITECTURES": inherited.get("GPUDL_CUDA_ARCHITECTURES", "native"),
        "PYTHONUNBUFFERED": "1",
    }


def execute_with(variables: Mapping[str, str]) -> Execute:
    def execute(command: Command, seconds: float, log: Path) -> int | None:
        """In a process group of its own, which is told to end as by Ctrl-C, and killed GRACE later."""
        with log.open("ab") as file:
            file.write(f"$ {shlex.join(command)}\n".encode())
            file.flush()
            process = subprocess.Popen(
                command, cwd=ROOT, env=dict(variables), stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                return None
            finally:
                _end(process)

    return execute


def _end(process: subprocess.Popen[bytes]) -> None:
    """Of the whole group, where it has not ended by itself."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE / 2)
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def note_versions(folder: Path, variables: Mapping[str, str]) -> None:
    """Into versions.txt: what each command says, or why it says nothing."""
    questions = {
        "commit": ("git", "describe", "--always", "--dirty", "--abbrev=40"),
        "GPU": ("nvidia-smi",),
        "nvcc": ("nvcc", "--version"),
        "Python": (sys.executable, "--version"),
        "packages": (sys.executable, "-m", "pip", "freeze"),
    }
    answers = []
    for name, command in questions.items():
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=dict(variables), capture_output=True, text=True, timeout=QUESTION, check=False
            )  # fmt: skip
            said = (done.stdout + done.stderr).strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        answers.append(f"== {name}\n{said}\n")
    (folder / "versions.txt").write_text("\n".join(answers))


def carried(wheels: Path, folder: Path) -> Part:
    """Installs the wheels of a folder for this visit alone, without a registry."""
    files = sorted(map(str, wheels.glob("*.whl")))
    command = (sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target",
               str(folder / "packages"), *files)  # fmt: skip
    return Part("packages", command, least=5.0)


def main(argv: Sequence[str] | None = None, clock: Callable[[], float] = time.monotonic) -> int:
    """Exit status 1 where a part failed; one that ran out of time has not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=9, help="for everything (9)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--seconds", type=float, default=0.3, metavar="S",
                        help="of timed calls of each contender on each size (0.3)")  # fmt: skip
    parser.add_argument("--wheels", type=Path, metavar="DIR",
                        help="wheels that the machine lacks, such as cuDNN's frontend, for this visit")  # fmt: skip
    arguments = parser.parse_args(argv)
    if not arguments.minutes > 0 or not arguments.seconds > 0:
        parser.error(
            f"--minutes and --seconds must be above 0, got {arguments.minutes:g} and {arguments.seconds:g}"
        )
    if arguments.wheels is not None and not any(arguments.wheels.glob("*.whl")):
        parser.error(f"--wheels: there are none in {arguments.wheels}")
    begun = clock()
    # The parts end by it, but not where a shell has this process in the background and lets it ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = arguments.output.resolve()
    folder.mkdir(parents=True)
    variables = environment(folder, os.environ)
    note_versions(folder, variables)
    todo = [carried(arguments.wheels, folder)] if arguments.wheels is not None else []
    todo += parts(folder, arguments.seconds)
    seconds = arguments.minutes * 60 - (clock() - begun)
    outcomes = visit(todo, seconds, folder, execute_with(variables), clock)
    print((folder / "summary.txt").read_text(), end="")
    return int(any(each.state == "failed" for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())

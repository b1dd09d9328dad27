"""`gpudl bench --cost`: what every kernel asks of memory, counted by the CPU executor. No GPU, no time.

gpudl's own contender does one call of a problem on the checked build, whose counts are the same on every machine.

COST SCHEMA 1, JSON lines. Every line is an object with "kind":
  "cost_head"  the first: schema, commit, compiler (of the executor), compile_report (where registers and occupancy come
               from, or why there are none)
  "cost"       one call of an operator on one problem, see `Cost`
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gpudl import simt
from gpudl.bench import cost_problems, operators
from gpudl.bench.contender import CONTENDERS, Contender
from gpudl.bench.measure import cast
from gpudl.bench.occupancy import Compiled, occupancy, read_report
from gpudl.bench.problem import OPERATORS, Operator, Problem
from gpudl.bench.session import machine
from gpudl.simt import _build

SCHEMA = 1
NAME, REPORT = "cost.jsonl", "cost.md"
DTYPES = ("float32", "float16")
# What the executor does in seconds: the largest problem of an operator is taken that is no larger than this, ...
SMALL_BYTES, SMALL_FLOPS = 1.3e7, 1e7
# ... and where none is so small, the smallest, if it is no larger than this.
MOST_BYTES, MOST_FLOPS = 3.2e7, 6e8
# Operations for a byte below which a GPU waits for memory: 19.5 TFLOP/s over 2039 GB/s (NVIDIA's data sheet of the A100
# 80GB, float32 without tensor cores, which the kernels do not use). An H100 waits still sooner.
RIDGE = 9.6
COMPOSED = "training"  # a family whose operators consist of the others


class CostError(RuntimeError):
    """Nothing can be counted here; the message says why."""


@dataclasses.dataclass(frozen=True)
class Residency:
    """What the compiler says of a kernel on an architecture, and how many warps of its largest blocks fit.

    registers : of a thread. static_shared : bytes of a block. stack, spilled : bytes of a thread. blocks, warps : that
    a multiprocessor holds at a time. occupancy : of the warps that there is room for. limit : why there are not more.
    """

    registers: int
    static_shared: int
    stack: int
    spilled: int
    blocks: int
    warps: int
    occupancy: float
    limit: str


@dataclasses.dataclass(frozen=True)
class Kernel:
    """What one kernel did in a call.

    launches : each kind once: grid and block (x, y, z), shared_bytes (dynamic, of a block), count.
    buffers : traffic in bytes, in whole sectors of 32: read and written as often as threads ask, which caches may
        answer; distinct_read and distinct_written with each sector once a launch, as with perfect caches.
    requests, lanes : of all accesses, shared memory included; a warp's request has up to 32 lanes.
    sectors, needed_sectors : of global memory; the fewest that hold the bytes which each request asks for.
    passes, needed_passes : of shared memory; with bank conflicts and without.
    wasteful : the source lines with more sectors or passes than needed, as `simt.LineCost` has them.
    compiled : by architecture; empty without a compile report.
    """

    name: str
    launches: list[dict[str, Any]]
    buffers: list[dict[str, Any]]
    requests: int
    lanes: int
    sectors: int
    needed_sectors: int
    passes: int
    needed_passes: int
    wasteful: list[dict[str, Any]]
    compiled: dict[str, Residency]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one call of an operator costs.

    floor : bytes that cross memory whoever does the work (`Problem.work`); flops : its operations. bound : "memory"
    where there are fewer than RIDGE operations for a byte, else "math". moved, asked : bytes of all kernels with each
    sector once a launch, and as often as asked for. ratio, asked_ratio : of these to the floor.
    """

    operator: str
    family: str
    workload: str
    dtype: str
    flops: float
    floor: float
    bound: str
    moved: int
    asked: int
    ratio: float
    asked_ratio: float
    kernels: list[Kernel]


def main(
    names: Sequence[str], folder: Path, *, dtypes: Sequence[str] = DTYPES, report: Path | None = None
) -> int:
    """Count operators (all by default) into `folder`: cost.jsonl and cost.md.

    report : what csrc/compile_report.py printed. None: it is run, which compiles every kernel where nvcc is.
    ValueError for an operator that is not there, CostError where the executor cannot be built or finds a fault.
    """
    from gpudl.bench import cost_report

    operators.load()
    chosen, too_large = problems(names, dtypes)
    try:
        simt.build_own("check")
    except simt.CompileError as error:
        raise CostError(str(error)) from None
    source, compiled = compile_report(report)
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "schema": SCHEMA,
        "commit": machine()["commit"],
        "compiler": _compiler(),
        "compile_report": source,
    }
    costs = []
    with (folder / NAME).open("w") as file:
        _write_line(file, "cost_head", head)
        for cost in count(chosen, compiled):
            print(f"{cost.operator:32} {cost.workload:48} {cost.dtype:9} {cost.ratio:8.2f}", flush=True)
            _write_line(file, "cost", dataclasses.asdict(cost))
            costs.append(cost)
    (folder / REPORT).write_text(cost_report.markdown(head, costs, too_large))
    print(f"everything is in {folder}: {REPORT}, {NAME}")
    return 0


def problems(names: Sequence[str], dtypes: Sequence[str]) -> tuple[list[Problem], list[str]]:
    """What is counted, and the operators whose problems are all too large.

    Of an operator, one problem for each choice in words and flags of its settings, with groups and without, and for
    each bound, because these lead to other kernels; the same for every dtype.
    """
    alike: dict[tuple, list[Problem]] = {}
    for each in _named(names):
        for problem in (problem for problem in each.problems() if "cuda" in problem.devices):
            words = (item for item in sorted(problem.settings.items()) if isinstance(item[1], str | bool))
            grouped = problem.settings.get("groups", 1) > 1
            alike.setdefault((each.name, *words, grouped, _bound(problem)), []).append(problem)
    chosen = [found for group in alike.values() if (found := _representative(group))]
    counted = {problem.operator for problem in chosen}
    too_large = [name for name in dict.fromkeys(key[0] for key in alike) if name not in counted]
    return [each.of(dtype) for each in chosen for dtype in dtypes if dtype in each.dtypes], too_large


def _operators() -> dict[str, Operator]:
    return OPERATORS | cost_problems.OPERATORS


def _named(names: Sequence[str]) -> list[Operator]:
    """Operators that begin with a name or are of such a family; all where there are no names."""

    def fits(name: str, each: Operator) -> bool:
        return each.name.startswith(name) or each.family == name

    known = [each for each in _operators().values() if each.family != COMPOSED]
    for name in names:
        if not any(fits(name, each) for each in known):
            families = ", ".join(sorted({each.family for each in known}))
            raise ValueError(f"no operator that is counted begins with {name!r}; the families are {families}")
    return [each for each in known if not names or any(fits(name, each) for name in names)]


def _representative(alike: Sequence[Problem]) -> Problem | None:
    def within(most_bytes: float, most_flops: float) -> list[Problem]:
        fit = [each for each in alike if _floor(each) <= most_bytes and each.work.flops <= most_flops]
        return sorted(fit, key=lambda each: (_floor(each), each.work.flops, each.workload))

    if small := within(SMALL_BYTES, SMALL_FLOPS):
        return small[-1]
    return next(iter(within(MOST_BYTES, MOST_FLOPS)), None)


def _floor(problem: Problem) -> float:
    return float(problem.work.bytes_moved(problem.dtype))


def _bound(problem: Problem) -> str:
    return "memory" if problem.work.flops < RIDGE * _floor(problem) else "math"


def count(chosen: Iterable[Problem], compiled: Iterable[Compiled] = ()) -> Iterator[Cost]:
    """Costs one by one, as they are counted. CostError where a check of the executor finds a fault in a kernel."""
    known: dict[str, dict[str, Compiled]] = {}
    for each in compiled:
        # Kernels of two files may have one name; the one with more registers tells what to expect at worst.
        others = known.setdefault(each.kernel, {})
        others[each.architecture] = max(
            each, others.get(each.architecture, each), key=lambda one: one.registers
        )
    for problem in chosen:
        yield _cost(problem, _profile(problem), known)


def _ours(operator: str) -> Contender:
    return cost_problems.CONTENDERS.get(operator) or CONTENDERS[operator][operators.OURS]


def _profile(problem: Problem) -> simt.Profile:
    inputs = cast(problem.inputs(np.random.default_rng(0)), problem.dtype)
    with simt.checked() as executor:
        prepared = _ours(problem.operator).prepare(inputs, dict(problem.settings))
        executor.clear()
        prepared.call()
        if findings := executor.findings():
            raise CostError(f"{problem.operator}, {problem.workload}: {findings[0]}")
        return executor.profile()


def _cost(problem: Problem, profile: simt.Profile, known: dict[str, dict[str, Compiled]]) -> Cost:
    moved = sum(each.distinct_read + each.distinct_written for each in profile.buffers)
    asked = sum(each.read + each.written for each in profile.buffers)
    floor = _floor(problem)
    return Cost(
        problem.operator,
        _operators()[problem.operator].family,
        problem.workload,
        problem.dtype,
        float(problem.work.flops),
        floor,
        _bound(problem),
        moved,
        asked,
        moved / floor,
        asked / floor,
        # By name, and their parts likewise: the profile has them in the order in which the linker put them.
        [
            _kernel(name, profile, known.get(name, {}))
            for name in sorted({each.kernel for each in profile.launches})
        ],
    )


def _kernel(name: str, profile: simt.Profile, compiled: dict[str, Compiled]) -> Kernel:
    launches, buffers, lines = (
        [each for each in part if each.kernel == name]
        for part in (profile.launches, profile.buffers, profile.lines)
    )
    totals = {
        what: sum(getattr(line, what) for line in lines)
        for what in ("requests", "lanes", "sectors", "needed_sectors", "passes", "needed_passes")
    }
    wasteful = [
        line for line in lines if line.sectors > line.needed_sectors or line.passes > line.needed_passes
    ]
    largest = max(launches, key=lambda launch: (launch.threads, launch.shared_bytes))
    return Kernel(
        name,
        _without_kernel(launches),
        _without_kernel(buffers),
        **totals,
        wasteful=_without_kernel(wasteful),
        compiled={
            architecture: residency
            for architecture, each in sorted(compiled.items())
            if (residency := _residency(each, largest)) is not None
        },
    )


def _without_kernel(parts: Sequence[Any]) -> list[dict[str, Any]]:
    plain = [{key: value for key, value in vars(each).items() if key != "kernel"} for each in parts]
    return sorted(plain, key=lambda each: list(map(str, each.values())))


def _residency(compiled: Compiled, launch: simt.Launch) -> Residency | None:
    found = occupancy(compiled, launch.threads, launch.shared_bytes)
    if found is None:
        return None
    return Residency(
        compiled.registers, compiled.static_shared, compiled.stack, compiled.spilled, found.blocks, found.warps,
        found.share, found.limit,
    )  # fmt: skip


def compile_report(file: Path | None) -> tuple[str, list[Compiled]]:
    """Which compiler tells of registers, or why none does, and what it says of every kernel."""
    if file is not None:
        printed = file.read_text()
    else:
        script = Path(simt.__file__).parents[2] / "csrc" / "compile_report.py"
        if not script.is_file():
            return "none: a checkout of gpudl has it, an installed package does not", []
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
        printed = done.stdout
        if printed.startswith("compile report skipped: "):
            return f"none: {printed.strip().partition(': ')[2]}", []
        if not any(read_report(printed)):
            raise CostError(f"{script.name} failed:\n{done.stderr.strip()}")
    compiled = list(read_report(printed))
    version = re.search(r"^nvcc .*", printed, re.MULTILINE)
    if not compiled or version is None:
        raise ValueError(f"--compile-report: {file} is not what csrc/compile_report.py prints")
    return version[0], compiled


def _compiler() -> str:
    """The first line of what it says of itself."""
    command = [_build.compiler(), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _write_line(file: TextIO, kind: str, fields: dict[str, Any]) -> None:
    file.write(json.dumps({"kind": kind, **fields}, allow_nan=False, separators=(",", ":")) + "\n")
    file.flush()

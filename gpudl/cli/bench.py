"""`gpudl bench`: time operators beside other libraries and the limit of the machine."""

from __future__ import annotations

import argparse
import datetime
import math
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpudl.cli.config import ConfigError

if TYPE_CHECKING:
    from gpudl.bench.device import Device
    from gpudl.bench.problem import Problem
    from gpudl.bench.session import Session

DESCRIPTION = (
    "Time operators beside other libraries and the limit of the machine. Every contender's results are compared with "
    "float64 before it is timed, and all of them take turns."
)
_DTYPES = ("float32", "float16", "bfloat16", "float64")
_SECONDS = 1.5
_OF_A_RUN = ("operators", "device", "dtype", "workload", "quick", "seconds", "files", "output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operators", nargs="*", metavar="OPERATOR",
                        help="conv2d_forward, or a family such as conv2d; all by default")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where to time (cpu)")
    parser.add_argument("--dtype", action="append", choices=_DTYPES, help="float32; may be given again")
    parser.add_argument("--workload", action="append", metavar="WORDS",
                        help="only workloads that have these words, such as ResNet-50; may be given again")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few telling sizes of each operator")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help=f"timed calls of each contender on each size ({_SECONDS:g})")  # fmt: skip
    parser.add_argument("--with", dest="files", action="append", type=Path, metavar="FILE",
                        help="a Python file that registers contenders by gpudl.bench.contender")  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder of the run (bench-<time>)")
    parser.add_argument("--resume", type=Path, metavar="DIR",
                        help="go on with the run in that folder, with the options that it was begun with")  # fmt: skip
    parser.add_argument("--cost", action="store_true",
                        help="count what kernels ask of memory, on the CPU executor: no GPU, no time")  # fmt: skip
    parser.add_argument("--compile-report", type=Path, metavar="FILE",
                        help="with --cost: what csrc/compile_report.py printed, where nvcc is not at hand")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="say what there is to measure, and who contends")


def main(arguments: argparse.Namespace) -> int:
    if arguments.cost or arguments.compile_report:
        return _cost(arguments)
    from gpudl.bench import operators, outputs, text
    from gpudl.bench.device import DeviceLostError
    from gpudl.bench.progress import Progress

    operators.load()
    try:
        if arguments.list:
            return _list(arguments)
        folder, session = _resumed(arguments) if arguments.resume is not None else _begun(arguments)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    total = len(session.problems)
    if session.changed:
        print(text.plain(f"other than before: {'; '.join(session.changed)}"))
    print(f"{len(session.left)} of {total} problems to measure, into {folder}", flush=True)
    status, reason = 0, ""
    try:
        with Progress(sys.stdout, total, total - len(session.left)) as progress:
            session.run(progress.start, progress.finish)
    except KeyboardInterrupt:
        status, reason = 128 + signal.SIGINT, "interrupted"
    except DeviceLostError as error:
        status, reason = os.EX_TEMPFAIL, text.plain(f"the device is lost to this process ({error})")
    missing = outputs.write(folder)
    if missing is not None:
        print(missing)
    if status:
        print(f"{reason}; go on with: gpudl bench --resume {shlex.quote(str(folder))}", file=sys.stderr)
    else:
        print(f"everything is in {folder}: {outputs.REPORT}, {outputs.PAGE}")
    return status


def _begun(arguments: argparse.Namespace) -> tuple[Path, Session]:
    from gpudl.bench.session import Selection, Session, load_file

    seconds = _SECONDS if arguments.seconds is None else arguments.seconds
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"--seconds: expected a number above 0, got {seconds:g}")
    files = [entry for path in arguments.files or () for entry in load_file(path)]
    selection = Selection(
        tuple(arguments.operators),
        tuple(arguments.workload or ()),
        tuple(dict.fromkeys(arguments.dtype or ("float32",))),
        arguments.quick,
    )
    folder = _output(arguments, f"bench-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    device = _device(arguments.device or "cpu")
    try:
        return folder, Session(
            folder, device, selection, seconds=seconds, command=["gpudl", *arguments.words], files=files
        )
    except FileExistsError:
        raise ValueError(f"--output: {folder} has a run; give another folder, or --resume {folder}") from None


def _output(arguments: argparse.Namespace, default: str) -> Path:
    folder = arguments.output or Path(default)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output: {folder} is no folder")
    return folder


def _resumed(arguments: argparse.Namespace) -> tuple[Path, Session]:
    from gpudl.bench import record
    from gpudl.bench.session import Selection, Session, load_again

    _refuse(arguments, _OF_A_RUN, "--resume: a run goes on with the options that it was begun with")
    folder = arguments.resume
    if not (folder / record.NAME).is_file():
        raise ValueError(f"--resume: {folder} holds no run of gpudl bench")
    begun = record.read(folder).run
    load_again(begun["files"])
    selection, device = Selection.of(begun["selection"]), _device(begun["device"]["name"])
    return folder, Session(folder, device, selection, seconds=begun["seconds"], resume=True)


def _refuse(arguments: argparse.Namespace, names: Sequence[str], company: str) -> None:
    """ConfigError where one of these options is given. company : what it does not go with, and why."""
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False and value != []:
            option = {"operators": "OPERATOR", "files": "--with"}.get(name, f"--{name}")
            raise ConfigError(f"{option}: not with {company}")


def _device(name: str) -> Device:
    if name == "cpu":
        from gpudl.bench.cpu import CpuDevice

        return CpuDevice()
    if name == "cuda":
        from gpudl.bench.cuda import CudaDevice

        return CudaDevice()
    raise ValueError(f"no device {name!r}; there are cpu and cuda")


def _list(arguments: argparse.Namespace) -> int:
    """Families, their operators, what contenders are given, and who contends."""
    from gpudl.bench.contender import CONTENDERS
    from gpudl.bench.session import Selection, load_file

    _refuse(arguments, ("seconds", "output", "resume"), "--list, which measures nothing")
    for path in arguments.files or ():
        load_file(path)
    device = arguments.device or "cpu"
    dtypes = tuple(arguments.dtype or _DTYPES)
    selection = Selection(
        tuple(arguments.operators), tuple(arguments.workload or ()), dtypes, arguments.quick
    )
    chosen = {}
    for problem in selection.problems(device):
        chosen.setdefault(problem.operator, {}).setdefault(problem.workload, problem)
    family = None
    for name, problems in sorted(chosen.items(), key=lambda item: (_family(item[0]), item[0])):
        if _family(name) != family:
            family = _family(name)
            print(f"{family}")
        contenders = [each.name for each in CONTENDERS[name].values() if device in each.devices]
        print(f"  {name}({_arguments(list(problems.values()))})")
        print(f"    {len(problems)} workloads; {', '.join(contenders)}")
    return 0


def _family(operator: str) -> str:
    from gpudl.bench.problem import OPERATORS

    return OPERATORS[operator].family


def _arguments(problems: list[Problem]) -> str:
    """What a contender's function takes: arrays by name, then settings as keywords. Read off the smallest problem."""
    import numpy as np

    smallest = min(problems, key=lambda problem: problem.work.bytes_moved(problem.dtype))
    arrays = list(smallest.inputs(np.random.default_rng(0)))
    return ", ".join(arrays + (["*", *smallest.settings] if smallest.settings else []))


def _cost(arguments: argparse.Namespace) -> int:
    from gpudl.bench import cost

    if not arguments.cost:
        raise ConfigError("--compile-report: only with --cost")
    if arguments.device == "cuda":
        raise ConfigError("--device cuda: not with --cost, which counts on the CPU")
    _refuse(arguments, ("workload", "quick", "seconds", "files", "resume", "list"), "--cost")
    folder = _output(arguments, "bench-cost")  # refused before the kernels are compiled, which takes minutes
    dtypes = dict.fromkeys(arguments.dtype or cost.DTYPES)
    try:
        return cost.main(arguments.operators, folder, dtypes=tuple(dtypes), report=arguments.compile_report)
    except (ValueError, cost.CostError) as error:
        raise ConfigError(f"--cost: {error}") from None

"""`gpudl bench`: time operators beside other libraries and the limit of the machine."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from gpudl.cli.config import ConfigError

DESCRIPTION = (
    "Time operators beside other libraries and the limit of the machine. Every contender's results are compared with "
    "float64 before it is timed, and all of them take turns."
)
_DTYPES = ("float32", "float16", "bfloat16", "float64")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operators", nargs="*", metavar="OPERATOR",
                        help="conv2d_forward, or a family such as conv2d; all by default")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to time (cpu)")
    parser.add_argument("--dtype", action="append", choices=_DTYPES, help="float32; may be given again")
    parser.add_argument("--workload", action="append", default=[], metavar="WORDS",
                        help="only workloads that have these words, such as ResNet-50; may be given again")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few telling sizes of each operator")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="timed calls of each contender on each size (1.5)")  # fmt: skip
    parser.add_argument("--with", dest="files", action="append", default=[], type=Path, metavar="FILE",
                        help="a Python file that registers contenders by gpudl.bench.contender")  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder of the run (bench-<time>)")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run in that folder")
    parser.add_argument("--cost", action="store_true",
                        help="count what kernels ask of memory, on the CPU executor: no GPU, no time")  # fmt: skip
    parser.add_argument("--compile-report", type=Path, metavar="FILE",
                        help="with --cost: what csrc/compile_report.py printed, where nvcc is not at hand")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="say what there is to measure, and who contends")


def main(arguments: argparse.Namespace) -> int:
    if arguments.cost or arguments.compile_report:
        return _cost(arguments)
    from gpudl.bench import operators
    from gpudl.bench.cpu import CpuDevice
    from gpudl.bench.session import Selection, Session, load_file

    operators.load()
    for path in arguments.files:
        load_file(path)
    selection = Selection(
        tuple(arguments.operators),
        tuple(arguments.workload),
        tuple(arguments.dtype or ("float32",)),
        arguments.quick,
    )
    folder = arguments.resume or arguments.output or Path(f"bench-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    try:
        session = Session(folder, CpuDevice(), selection, seconds=arguments.seconds or 1.5, arguments=sys.argv[2:],
                          resume=arguments.resume is not None)  # fmt: skip
    except ValueError as error:
        raise ConfigError(f"bench: {error}") from None
    session.run(lambda problem: None, _print)
    return 0


def _cost(arguments: argparse.Namespace) -> int:
    from gpudl.bench import cost

    if not arguments.cost:
        raise ConfigError("--compile-report: only with --cost")
    if arguments.device == "cuda":
        raise ConfigError("--device cuda: not with --cost, which counts on the CPU")
    for name in ("workload", "quick", "seconds", "files", "resume", "list"):
        if getattr(arguments, name):
            raise ConfigError(f"{'--with' if name == 'files' else '--' + name}: not with --cost")
    folder = arguments.output or Path("bench-cost")
    dtypes = dict.fromkeys(arguments.dtype or cost.DTYPES)
    try:
        return cost.main(arguments.operators, folder, dtypes=tuple(dtypes), report=arguments.compile_report)
    except (ValueError, OSError, cost.CostError) as error:
        raise ConfigError(f"bench --cost: {error}") from None


def _print(rows: list) -> None:
    for row in rows:
        timed = (
            "" if row.seconds is None else f"{row.seconds * 1e3:10.3f} ms  {row.share:6.1%} of {row.bound}"
        )
        print(
            f"{row.operator:24} {row.workload:44} {row.contender:10} {row.status:8} {timed} {row.detail}",
            flush=True,
        )

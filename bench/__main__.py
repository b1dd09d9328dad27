"""`python -m bench [OP ...]`: time every operator against PyTorch on the same cores.

Writes the table and the rows to bench/results/ with --save NAME.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

import gpudl
from bench.harness import Row, measure

HERE = Path(__file__).parent
OPS = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def geomean(values: list[float]) -> float:
    return statistics.geometric_mean(values)


def machine() -> dict[str, str | int]:
    """What a reader needs to judge the figures."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": gpudl.get_num_threads(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "gpudl": gpudl.__version__,
        "commit": commit.stdout.strip() or "unknown",
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, slowest ratio first within each op, and the geomeans."""
    lines = [
        "| op | direction | workload | gpudl ms | PyTorch ms | ratio | quartiles |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r.op} | {r.direction} | {r.workload} | {r.ours_ms:.3f} | {r.torch_ms:.3f} | {r.ratio:.2f} "
        f"| {r.ratio_low:.2f} to {r.ratio_high:.2f} |"
        for r in sorted(rows, key=lambda r: (r.op, -r.ratio))
    ]
    lines.append("")
    for op in sorted({r.op for r in rows}):
        lines.append(f"- geomean {op}: {geomean([r.ratio for r in rows if r.op == op]):.2f}")
    lines.append(f"- **geomean of all {len(rows)} rows: {geomean([r.ratio for r in rows]):.2f}**")
    dense = [r for r in rows if r.dense]
    if dense:
        worst = max(dense, key=lambda r: r.ratio)
        lines.append(
            f"- dense convolutions of 32 channels or more: worst {worst.ratio:.2f} ({worst.direction}, "
            f"{worst.workload}), geomean {geomean([r.ratio for r in dense]):.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("ops", nargs="*", metavar="OP", help=f"one of {', '.join(OPS)}; all by default")
    parser.add_argument("--save", metavar="NAME", help="write bench/results/NAME.md and NAME.json")
    arguments = parser.parse_args()
    unknown = set(arguments.ops) - set(OPS)
    if unknown:
        parser.error(f"unknown op {', '.join(sorted(unknown))}; there are {', '.join(OPS)}")
    torch.set_num_threads(gpudl.get_num_threads())
    rows = []
    for op in arguments.ops or OPS:
        for case in importlib.import_module(f"bench.bench_{op}").cases():
            rows.append(measure(case))
            r = rows[-1]
            print(
                f"{r.ratio:6.2f}  {r.op} {r.direction} {r.workload}  {r.ours_ms:.3f} / {r.torch_ms:.3f} ms",
                flush=True,
            )
    about = machine()
    print(table(rows))
    if arguments.save:
        folder = HERE / "results"
        folder.mkdir(exist_ok=True)
        header = "\n".join(f"- {key}: {value}" for key, value in about.items())
        command = "`python -m bench " + " ".join([*arguments.ops, "--save", arguments.save]) + "`"
        text = (
            f"# gpudl on NumPy against PyTorch on the same cores\n\n{command}\n\n{header}\n\n{table(rows)}\n"
        )
        (folder / f"{arguments.save}.md").write_text(text)
        record = {"machine": about, "rows": [asdict(row) for row in rows]}
        (folder / f"{arguments.save}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Compile every kernel by nvcc and print registers, shared memory and spills of each, per architecture.

Fails on a warning, a spill or a stack frame: local memory is global memory, and a kernel that needs it is slower than
it looks. Without nvcc it says so and succeeds, because most machines that run the tests have none.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build_cuda


@dataclasses.dataclass
class Kernel:
    name: str
    architecture: str
    stack: int
    spilled: int
    registers: int
    shared: int


def kernels_of(log: str) -> list[Kernel]:
    """What `ptxas -v` printed, one row per kernel and architecture."""
    pattern = re.compile(
        r"Compiling entry function '(?P<name>\S+)' for '(?P<architecture>\S+)'.*?"
        r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
        r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
        re.DOTALL,
    )
    found = []
    for match in pattern.finditer(log):
        shared = re.search(r"(\d+) bytes smem", match["rest"])
        found.append(
            Kernel(
                match["name"], match["architecture"], int(match["stack"]), int(match["stores"]) + int(match["loads"]),
                int(match["registers"]), int(shared[1]) if shared else 0,
            )
        )  # fmt: skip
    return found


def readable(names: list[str]) -> list[str]:
    done = subprocess.run(["c++filt", *names], capture_output=True, text=True, check=True)
    short = []
    for name in done.stdout.splitlines():
        name = re.sub(r"\(anonymous namespace\)::|void ", "", name)
        short.append(name[: name.index(">(") + 1] if ">(" in name else name.partition("(")[0])
    return short


def _version() -> str:
    """As in "release 13.0, V13.0.88"."""
    command = [build_cuda.find_nvcc(), "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.search(r"release .*", printed)[0]


def main() -> int:
    if (reason := build_cuda.missing_because()) is not None:
        print(f"compile report skipped: {reason}")
        return 0
    folder = build_cuda.CSRC.parent / "build" / "cuda"
    start = time.perf_counter()
    compiled = build_cuda.build(folder / "_cuda.so", folder, strict=True)
    print(f"nvcc {_version()}")
    print(f"{len(compiled)} files compiled in {time.perf_counter() - start:.0f} s")
    kernels = [kernel for path in sorted(folder.glob("*.cu.log")) for kernel in kernels_of(path.read_text())]
    names = readable([kernel.name for kernel in kernels])
    rows: dict[str, list[str]] = {}
    for kernel, name in zip(kernels, names, strict=True):
        cost = f"{kernel.architecture}: {kernel.registers} registers, {kernel.shared} B shared"
        cost += (
            f", {kernel.stack} B stack, {kernel.spilled} B spilled" if kernel.stack or kernel.spilled else ""
        )
        rows.setdefault(name, []).append(cost)
    for name, costs in sorted(rows.items()):
        print(f"{name}  |  {'; '.join(costs)}")
    bad = [name for kernel, name in zip(kernels, names, strict=True) if kernel.stack or kernel.spilled]
    print(f"{len(rows)} kernels, {len(bad)} with spills or a stack frame")
    return 1 if bad or not kernels else 0


if __name__ == "__main__":
    sys.exit(main())

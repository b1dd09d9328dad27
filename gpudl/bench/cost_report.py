"""The Markdown of a cost table: a summary of what exceeds its floor, and every kernel, the worst first."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gpudl.bench.cost import MOST_BYTES, MOST_FLOPS, RIDGE, Cost, Kernel

ALLOWED = 1.05  # of the floor: what a kernel bound by memory may move
SECTOR = 32  # bytes
TELLING = 0.01  # of the floor: smaller shares are left out of the words

LEGEND = """\
Counted by the CPU executor (`docs/simt.md`), one call of each operator; no GPU and no time are in it.

- *moved*: bytes between kernels and memory, each 32-byte sector once a launch, over the least that the operator can
  move (its inputs and results once each). *asked*: the same with every request of a warp; caches answer some of them.
- *sectors*: of global memory, over the fewest that hold what each request asks for: 1.00 is coalesced. *passes*: of
  shared memory, over those without bank conflicts. *lanes*: of 32, that take part in a request.
- registers of a thread, and theoretical occupancy with what limits it: from the compile report, for the launch with the
  largest blocks.
"""


def markdown(head: dict[str, Any], costs: Sequence[Cost], too_large: Sequence[str]) -> str:
    """head : the fields of the file's head. too_large : operators that were not counted."""
    memory, math = (
        sorted((cost for cost in costs if cost.bound == bound), key=_worst_first)
        for bound in ("memory", "math")
    )
    sections = [
        "# Cost of every kernel\n",
        f"gpudl {head['commit']}, executor by {head['compiler']}, compile report: {head['compile_report']}.\n",
        LEGEND,
        "## Summary\n",
        _summary(memory, costs, too_large),
        f"## Bound by memory: fewer than {RIDGE} operations for a byte\n",
        _table(memory),
        "## Bound by arithmetic: operands are asked for once for each tile that needs them\n",
        _table(math),
    ]
    return "\n".join(sections)


def _worst_first(cost: Cost) -> tuple:
    return -round(cost.ratio, 4), -round(cost.asked_ratio, 4), cost.operator, cost.workload, cost.dtype


def _summary(memory: Sequence[Cost], costs: Sequence[Cost], too_large: Sequence[str]) -> str:
    over = [cost for cost in memory if cost.ratio > ALLOWED]
    again = [cost for cost in memory if cost.ratio <= ALLOWED < cost.asked_ratio]
    operators = {cost.operator for cost in costs}
    parts = [
        f"{len(costs)} calls of {len(operators)} operators, {len(memory)} of them bound by memory.\n",
        _listed(
            f"Of these move more than {ALLOWED} times their floor",
            (f"{_name(cost)}: **{cost.ratio:.2f}** = {_shares(cost, 'distinct_')}" for cost in over),
        ),
        _listed(
            f"Of the others ask for more than {ALLOWED} times their floor, which caches answer in part",
            (f"{_name(cost)}: {cost.asked_ratio:.2f} = {_shares(cost)}" for cost in again),
        ),
        _listed(
            "Source lines that are not coalesced, where it matters",
            _wasteful(costs, _sectors_matter, "sectors"),
        ),
        _listed(
            "Source lines with bank conflicts, where it matters", _wasteful(costs, _passes_matter, "passes")
        ),
    ]
    if any(kernel.compiled for cost in costs for kernel in cost.kernels):
        parts.append(_listed("Kernels with spilled registers or a stack frame", _spilled(costs)))
    larger = f"more than {MOST_BYTES / 1e6:g} MB or {MOST_FLOPS / 1e6:g} MFLOP"
    parts.append(_listed(f"Operators not counted, because their smallest problem is {larger}", too_large))
    return "\n".join(parts)


def _listed(title: str, items: Iterable[str]) -> str:
    bullets = [f"- {item}\n" for item in items]
    return f"{title}: {len(bullets)}\n\n{''.join(bullets)}" if bullets else f"{title}: none\n"


def _name(cost: Cost) -> str:
    return f"{cost.operator} {cost.dtype}, {cost.workload}"


def _shares(cost: Cost, which: str = "") -> str:
    """Which arrays the bytes are of, as parts of the floor."""
    shares: dict[str, float] = collections.defaultdict(float)
    for kernel in cost.kernels:
        for buffer in kernel.buffers:
            for way in ("read", "written"):
                shares[f"{buffer['name']} {way}"] += buffer[which + way] / cost.floor
    telling = [(-share, name) for name, share in shares.items() if share >= TELLING]
    return " + ".join(f"{-share:.2f} {name}" for share, name in sorted(telling))


def _sectors_matter(cost: Cost, kernel: Kernel, line: dict[str, Any]) -> bool:
    return SECTOR * (line["sectors"] - line["needed_sectors"]) > (ALLOWED - 1) * cost.floor


def _passes_matter(cost: Cost, kernel: Kernel, line: dict[str, Any]) -> bool:
    return line["passes"] - line["needed_passes"] > (ALLOWED - 1) * kernel.needed_passes


def _wasteful(
    costs: Iterable[Cost], matters: Callable[[Cost, Kernel, dict[str, Any]], bool], what: str
) -> Iterator[str]:
    """Each source line once, with the call in which it is worst."""
    worst: dict[tuple, tuple[float, str]] = {}
    for cost in costs:
        for kernel in cost.kernels:
            for line in filter(functools.partial(matters, cost, kernel), kernel.wasteful):
                key = (kernel.name.partition("<")[0], line["line"], line["space"], line["operation"])
                ratio = line[what] / line[f"needed_{what}"]
                worst[key] = max(worst.get(key, (0.0, "")), (ratio, _name(cost)))
    for key, (ratio, name) in sorted(worst.items(), key=lambda item: (-item[1][0], item[0])):
        kernel_name, place, space, operation = key
        yield f"`{place}` in `{kernel_name}`, {space} {operation}: {ratio:.2f} times ({name})"


def _spilled(costs: Iterable[Cost]) -> list[str]:
    return sorted({
        f"`{kernel.name}` on {architecture}: {found.spilled} bytes spilled, {found.stack} of stack"
        for cost in costs
        for kernel in cost.kernels
        for architecture, found in kernel.compiled.items()
        if found.spilled or found.stack
    })  # fmt: skip


# ---- tables


def _table(costs: Sequence[Cost]) -> str:
    if not costs:
        return "None.\n"
    architectures = sorted({name for cost in costs for kernel in cost.kernels for name in kernel.compiled})
    titles = ["operator", "problem", "dtype", "moved", "asked"]
    titles += ["kernel", "launches, blocks x threads", "sectors", "passes", "lanes", *architectures]
    rows = [titles, ["---"] * 3 + ["---:"] * 2 + ["---"] * 2 + ["---:"] * 3 + ["---"] * len(architectures)]
    for cost in costs:
        first = [cost.operator, cost.workload, cost.dtype, f"{cost.ratio:.2f}", f"{cost.asked_ratio:.2f}"]
        for kernel in cost.kernels:
            rows.append(first + _cells(kernel, architectures))
            first = [""] * len(first)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _cells(kernel: Kernel, architectures: Sequence[str]) -> list[str]:
    return [
        f"`{kernel.name}`",
        "; ".join(_launch(launch) for launch in kernel.launches),
        _over(kernel.sectors, kernel.needed_sectors),
        _over(kernel.passes, kernel.needed_passes),
        f"{kernel.lanes / kernel.requests:.1f}" if kernel.requests else "",
        *(_compiled(kernel, name) for name in architectures),
    ]


def _launch(launch: dict[str, Any]) -> str:
    grid, block = ("x".join(map(str, _trimmed(launch[name]))) for name in ("grid", "block"))
    return f"{launch['count']}: {grid} x {block}"


def _trimmed(extents: Sequence[int]) -> list[int]:
    """Without the ones at the end."""
    last = max((axis for axis, extent in enumerate(extents) if extent > 1), default=0)
    return list(extents[: last + 1])


def _over(count: int, needed: int) -> str:
    return f"{count / needed:.2f}" if needed else ""


def _compiled(kernel: Kernel, architecture: str) -> str:
    if (found := kernel.compiled.get(architecture)) is None:
        return ""
    return f"{found.registers} registers, {found.occupancy:.0%} ({found.limit})"

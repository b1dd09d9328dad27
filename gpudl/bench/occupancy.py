"""How many warps of a kernel a multiprocessor holds, from what the compiler says of it and from its launch.

What a multiprocessor has: CUDA C++ Programming Guide, "Compute Capabilities", tables of features and technical
specifications. How it is handed out: cuda_occupancy.h of the CUDA toolkit.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator

WARP = 32  # threads
REGISTERS = 65536
REGISTER_UNIT = 256  # that a warp gets at a time
PARTITIONS = 4  # of a multiprocessor; a warp's registers lie in one
MOST_THREADS = 1024  # of a block
SHARED_UNIT, SHARED_RESERVED = 128, 1024  # bytes: allocated at a time; kept of each block for the system


@dataclasses.dataclass(frozen=True)
class Multiprocessor:
    """warps, blocks : that it holds at most. shared, shared_of_a_block : bytes, the most that a kernel may choose."""

    warps: int
    blocks: int
    shared: int
    shared_of_a_block: int


MULTIPROCESSORS = {
    "sm_80": Multiprocessor(64, 32, 164 * 1024, 163 * 1024),
    "sm_90": Multiprocessor(64, 32, 228 * 1024, 227 * 1024),
}


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What the compiler says of a kernel on an architecture; bytes of a thread, shared memory of a block."""

    kernel: str
    architecture: str
    registers: int
    static_shared: int
    stack: int = 0
    spilled: int = 0


@dataclasses.dataclass(frozen=True)
class Occupancy:
    """blocks, warps : at a time. share : of the warps that there is room for. limit : why there are not more."""

    blocks: int
    warps: int
    share: float
    limit: str


def read_report(text: str) -> Iterator[Compiled]:
    """What csrc/compile_report.py printed, of each kernel and architecture; sm_90a counts as sm_90.

    A line is `name  |  sm_80: 30 registers, 128 B shared, 8 B stack, 16 B spilled; sm_90a: 32 registers, 0 B shared`.
    """
    pattern = re.compile(
        r"(sm_\d+)[a-z]?: (\d+) registers, (\d+) B shared(?:, (\d+) B stack, (\d+) B spilled)?(?=;|$)"
    )
    for line in text.splitlines():
        name, bar, costs = line.partition("  |  ")
        for architecture, *numbers in pattern.findall(costs) if bar else ():
            yield Compiled(name, architecture, *(int(number or 0) for number in numbers))


def occupancy(compiled: Compiled, threads: int, dynamic_shared: int) -> Occupancy | None:
    """Of a kernel in blocks of so many threads; None for an architecture whose figures are not here."""
    has = MULTIPROCESSORS.get(compiled.architecture)
    if has is None:
        return None
    warps = math.ceil(threads / WARP)
    registers = _rounded(compiled.registers * WARP, REGISTER_UNIT)  # of a warp
    warps_with_registers = REGISTERS // PARTITIONS // registers * PARTITIONS if registers else has.warps
    shared = _rounded(compiled.static_shared + dynamic_shared + SHARED_RESERVED, SHARED_UNIT)
    if (
        threads > MOST_THREADS
        or shared > has.shared_of_a_block + SHARED_RESERVED
        or registers * _rounded(warps, PARTITIONS) > REGISTERS
    ):
        return Occupancy(0, 0, 0.0, "a block does not fit")
    blocks, limit = min(
        (has.warps // warps, "warps"),
        (has.blocks, "blocks"),
        (warps_with_registers // warps, "registers"),
        (has.shared // shared, "shared memory"),
        key=lambda each: each[0],
    )
    return Occupancy(blocks, blocks * warps, blocks * warps / has.warps, limit)


def _rounded(value: int, unit: int) -> int:
    return -(-value // unit) * unit

"""The executor inside a compiled library: schedules, findings and costs, with source lines."""

from __future__ import annotations

import collections
import ctypes
import dataclasses
import json
import math
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

ORDERS = ("forward", "reverse", "random")
_MOST_SHARED_MEMORY = 232448  # bytes of a block, on sm_90
_USES = {"read": 0, "write": 1, "update": 2}


@dataclasses.dataclass(frozen=True)
class Access:
    """One of the two accesses of a finding; `line` is "file:line" of the kernel, "" where unknown."""

    operation: str
    line: str
    block: tuple[int, int, int]
    thread: tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something a kernel did that CUDA leaves undefined or would trap.

    kind : "data race", "out-of-bounds global access", "out-of-bounds shared access", "misaligned access", "read of
        unwritten memory", "divergent barrier", "write to a read-only buffer", "async copy not waited for", "deadlock",
        and the like. kernel : its name with template arguments. location : what memory. line : where it was noticed.
    first, second : the earlier access, None where there is only one, and the one that was noticed.
    count : how often it was seen at these places.
    """

    kind: str
    message: str
    kernel: str
    line: str
    location: str
    first: Access | None
    second: Access
    count: int

    def __str__(self) -> str:
        text = f"{self.kind} in {self.kernel}" + (f" at {self.line}" if self.line else "")
        text += f": {self.message}"
        text += f" ({self.location})" if self.location else ""
        text += f"; block {self.second.block}, thread {self.second.thread}"
        if self.first is not None:
            text += f"; earlier: {self.first.operation} at {self.first.line}, block {self.first.block}, "
            text += f"thread {self.first.thread}"
        return text


@dataclasses.dataclass(frozen=True)
class LineCost:
    """What one source line asked of memory. Sectors are 32 bytes; passes are turns of the 32 banks of shared memory."""

    kernel: str
    line: str
    space: str  # "global" or "shared"
    operation: str  # "read", "write" or "atomic"
    bytes: int  # of one lane's access
    requests: int
    lanes: int
    sectors: int
    needed_sectors: int
    passes: int
    needed_passes: int


@dataclasses.dataclass(frozen=True)
class BufferCost:
    """Bytes moved between one buffer and a kernel, in whole sectors; `distinct` counts a sector once a launch."""

    kernel: str
    name: str
    bytes: int
    read: int
    written: int
    distinct_read: int
    distinct_written: int


@dataclasses.dataclass(frozen=True)
class Launch:
    """How a kernel was launched, `count` times alike. shared_bytes : dynamic shared memory of a block."""

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    count: int

    @property
    def threads(self) -> int:
        """Of a block."""
        return math.prod(self.block)


@dataclasses.dataclass(frozen=True)
class Profile:
    launches: list[Launch]
    lines: list[LineCost]
    buffers: list[BufferCost]


class Executor:
    """The controls of one library: gpudl's own kernels, or a user's."""

    def __init__(self, library: Path):
        self.path = library
        self.library = ctypes.PyDLL(str(library))  # threads take turns: there is one executor for all of them
        for name in ("simt_last_error", "simt_findings", "simt_profile"):
            getattr(self.library, name).restype = ctypes.c_char_p
        self._registered: collections.Counter[int] = collections.Counter()  # by address
        self._lines = _SourceLines(library)

    def set_schedule(self, order: str = "forward", seed: int = 0, *, eager_copies: bool = False) -> None:
        """How threads take turns from the next launch on: "forward", "reverse", or "random" from a seed.

        eager_copies : asynchronous copies land when they are issued, and not when they are waited for.
        """
        if order not in ORDERS:
            raise ValueError(f"set_schedule: order must be one of {', '.join(ORDERS)}, got {order!r}")
        if not isinstance(seed, int) or not 0 <= seed < 1 << 64:
            raise ValueError(f"set_schedule: seed must be an int in [0, 2^64), got {seed!r}")
        if not isinstance(eager_copies, bool):
            raise TypeError(f"set_schedule: eager_copies must be a bool, got {type(eager_copies).__name__}")
        self.library.simt_set_schedule(ORDERS.index(order), ctypes.c_ulonglong(seed), int(eager_copies))

    def set_shared_memory_limit(self, bytes_of_a_block: int = _MOST_SHARED_MEMORY) -> None:
        """What a block may use: 232448 on sm_90 (the default), 166912 on sm_80."""
        if not isinstance(bytes_of_a_block, int) or not 0 <= bytes_of_a_block <= _MOST_SHARED_MEMORY:
            raise ValueError(
                f"set_shared_memory_limit: bytes_of_a_block must be an int in [0, {_MOST_SHARED_MEMORY}], "
                f"got {bytes_of_a_block!r}"
            )
        self.library.simt_set_shared_memory_limit(ctypes.c_size_t(bytes_of_a_block))

    def register(self, array: np.ndarray, name: str, use: str) -> None:
        """Let kernels touch `array` until `forget`. use : "read", "write" (what it holds is unwritten) or "update"."""
        if not isinstance(array, np.ndarray):
            raise TypeError(f"register: array must be an array of NumPy's, got {type(array).__name__}")
        if not isinstance(name, str):
            raise TypeError(f"register: name must be a string, got {name!r}")
        if use not in tuple(_USES):
            raise ValueError(f"register: use must be one of {', '.join(_USES)}, got {use!r}")
        if not array.flags.c_contiguous:
            raise ValueError(f"register: array must be C-contiguous, got strides {array.strides}")
        data = ctypes.c_void_p(array.ctypes.data)
        self.library.simt_register_buffer(data, ctypes.c_size_t(array.nbytes), name.encode(), _USES[use])
        self._registered[array.ctypes.data] += 1

    def forget(self, array: np.ndarray) -> None:
        """End what `register` began."""
        if not isinstance(array, np.ndarray) or not self.is_registered(array):
            raise ValueError("forget: array is not registered")
        self.library.simt_forget_buffer(ctypes.c_void_p(array.ctypes.data))
        self._registered[array.ctypes.data] -= 1

    def is_registered(self, array: np.ndarray) -> bool:
        return self._registered[array.ctypes.data] > 0

    def last_error(self) -> str:
        """Why the last launch that failed did; "" where none has. Reading clears it."""
        return self.library.simt_last_error().decode()

    def findings(self) -> list[Finding]:
        """What was found since `clear`, once per pair of places. Empty where the build has no checks."""
        return [self._finding(raw) for raw in json.loads(self.library.simt_findings())]

    def profile(self) -> Profile:
        """The cost of all launches since `clear`. Empty where the build has no checks."""
        raw = json.loads(self.library.simt_profile())
        addresses = {row["kernel"] for part in raw.values() for row in part}
        self._lines.look_up([*addresses, *(row["pc"] - 1 for row in raw["lines"])])
        kernels = {address: self._lines.function(address) for address in addresses}
        launches = [
            Launch(
                **{
                    **row,
                    "kernel": kernels[row["kernel"]],
                    "grid": tuple(row["grid"]),
                    "block": tuple(row["block"]),
                }
            )
            for row in raw["launches"]
        ]
        lines: dict[tuple, dict[str, Any]] = {}
        for row in raw["lines"]:
            row["kernel"] = kernels[row["kernel"]]
            row["line"] = self._lines.line(row.pop("pc"))
            key = tuple(row[name] for name in ("kernel", "line", "space", "operation", "bytes"))
            same = lines.setdefault(key, row)
            if same is not row:
                for name in ("requests", "lanes", "sectors", "needed_sectors", "passes", "needed_passes"):
                    same[name] += row[name]
        buffers = [BufferCost(**(row | {"kernel": kernels[row["kernel"]]})) for row in raw["buffers"]]
        return Profile(launches, [LineCost(**row) for row in lines.values()], buffers)

    def clear(self) -> None:
        """Forget findings and profile."""
        self.library.simt_clear_findings()
        self.library.simt_clear_profile()

    def _finding(self, raw: dict[str, Any]) -> Finding:
        first, second = self._access(raw["first"]), self._access(raw["second"])
        place = f"{Path(raw['file']).name}:{raw['line']}" if raw["file"] else second.line
        return Finding(
            raw["kind"], raw["message"], self._lines.function(raw["kernel"]), place, raw["location"],
            first if raw["first"]["pc"] is not None else None, second, raw["count"],
        )  # fmt: skip

    def _access(self, raw: dict[str, Any]) -> Access:
        line = "" if raw["pc"] is None else self._lines.line(raw["pc"])
        return Access(raw["operation"], line, tuple(raw["block"]), tuple(raw["thread"]))


class _SourceLines:
    """Addresses of a library as source lines, by binutils' addr2line."""

    _HELPERS = ("/csrc/device/", "/csrc/simt/")  # inlined: the line wanted is the one that calls them

    def __init__(self, library: Path):
        self._library = library
        self._known: dict[int, list[tuple[str, str]]] = {}

    def function(self, address: int | None) -> str:
        if address is None:
            return "?"
        name = self._frames(address)[-1][0].replace("(anonymous namespace)::", "")
        return name.removeprefix("void ").partition("(")[0]

    def line(self, address: int) -> str:
        """file:line of the innermost frame outside the helpers, else of the innermost of all."""
        places = [place for _, place in self._frames(address - 1)]  # a return address is one past its call
        chosen = next((p for p in places if not any(part in p for part in self._HELPERS)), places[0])
        return Path(chosen.partition(" (discriminator")[0]).name

    def look_up(self, addresses: Iterable[int]) -> None:
        """All at once: each call of addr2line reads the library's tables anew."""
        new = sorted(set(addresses) - self._known.keys())
        if not new:
            return
        command = ["addr2line", "-e", str(self._library), "-a", "-i", "-f", "-C"]
        asked = "\n".join(map(hex, new))
        printed = subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout
        _, *answers = re.split("^0x([0-9a-f]+)\n", printed, flags=re.MULTILINE)
        for address, answer in zip(answers[::2], answers[1::2], strict=True):
            frames = answer.splitlines()
            self._known[int(address, 16)] = list(zip(frames[::2], frames[1::2], strict=True))

    def _frames(self, address: int) -> list[tuple[str, str]]:
        self.look_up([address])
        return self._known[address]

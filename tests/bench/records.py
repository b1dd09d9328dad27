"""Synthetic rows and runs, and a device whose clock the test controls."""

import contextlib
import dataclasses

import numpy as np

from gpudl.bench import problem as problems
from gpudl.bench.contender import CONTENDERS, contender
from gpudl.bench.device import Ceilings, Device, as_arrays, host_float64
from gpudl.bench.problem import Problem, Work
from gpudl.bench.record import NAME, SCHEMA, Record, Row, Writer, read

HEAD = {
    "schema": SCHEMA, "started": "2026-01-02T03:04:05+00:00", "command": "gpudl bench conv2d",
    "selection": {"operators": ["conv2d"], "workloads": [], "dtypes": ["float32"], "quick": False}, "seconds": 1.5,
    "files": [], "machine": {"python": "3.11", "packages": {"numpy": "2.4"}, "commit": "abc123"},
    "device": {"name": "cpu", "cpu": "A processor", "cores": 2},
}  # fmt: skip


def timed(contender, turns, **fields):
    """A row that is ok, of these turns."""
    median = float(np.median(turns))
    measured = {
        "operator": "conv2d_forward", "family": "conv2d", "workload": "ResNet-50 conv2_1b, N 32", "dtype": "float32",
        "cache": "warm", "seconds": median, "low": 0.9 * median, "high": 1.1 * median, "calls": 3 * len(turns),
        "error": 1e-6, "tolerance": 1e-4, "flops": 4e6, "bytes": 2e5, "floor": median / 2, "bound": "math", "share": 0.5,
    }  # fmt: skip
    return Row(**{**measured, "contender": contender, "status": "ok", "turns": tuple(turns), **fields})


def untimed(contender, status, **fields):
    """A row without times, for the reason in `detail`."""
    empty = {
        name: None
        for name in ("seconds", "low", "high", "floor", "bound", "share", "error")
        if name not in fields
    }
    return dataclasses.replace(
        timed(contender, [1.0]), **{**empty, "status": status, "turns": (), "calls": 0, **fields}
    )


def write_run(folder, rows, head=HEAD, ceilings=(("copy", 2e10, "B/s"), ("matmul float32", 1e11, "FLOP/s"))):
    """A run's file, its rows problem by problem."""
    folder.mkdir(exist_ok=True, parents=True)
    writer = Writer(folder / NAME)
    writer.write("run", head)
    for name, value, unit in ceilings:
        writer.write("ceiling", {"name": name, "value": value, "unit": unit})
    for problem in dict.fromkeys(row.problem for row in rows):
        for row in rows:
            if row.problem == problem:
                writer.write_row(row)
        writer.write_done(problem)
    writer.close()
    return folder


def record_of(tmp_path, rows, **options) -> Record:
    return read(write_run(tmp_path / "run", rows, **options))


class Clock:
    """Time passes where `doubling` says so, and nowhere else."""

    def __init__(self):
        self.now = 0.0
        self.calls = []  # who was called, in order

    def __call__(self):
        return self.now

    def doubling(self, name, *seconds, factor=2):
        """A contender whose calls take these seconds, in turn."""
        taken = 0

        def double(x):
            nonlocal taken
            self.calls.append(name)
            self.now += seconds[taken % len(seconds)]
            taken += 1
            return factor * x

        return double


class FakeDevice(Device):
    name = "cpu"
    caches = ("warm",)

    def __init__(self, clock, caches=("warm",)):
        self.clock, self.caches = clock, caches
        self.turns = []  # how many calls, on how many sets of inputs

    def describe(self):
        return {"cpu": "imagined"}

    def place(self, inputs, kind):
        return {name: array.copy(order="K") for name, array in inputs.items()}

    def fetch(self, results):
        return tuple(host_float64(array) for array in as_arrays(results))

    def copies(self, nbytes, cache):
        return 1 if cache == "warm" else 3

    def turn(self, calls, count):
        self.turns.append((count, len(calls)))
        taken = []
        for i in range(count):
            start = self.clock.now
            calls[i % len(calls)]()
            taken.append(self.clock.now - start)
        return taken

    def host_seconds(self, call):
        return None

    def ceilings(self):
        return Ceilings(copy=1e9, matmul={"float32": 1e10, "float64": 5e9}, launch=1e-6)


@contextlib.contextmanager
def registered(name, those, workloads=("a", "b", "c"), **options):
    """An operator that doubles x, with contenders that are there inside the block only."""
    family = options.pop("family", name)
    options = {"work": Work(flops=8, values=16), "dtypes": ("float32", "float64")} | options

    def generate():
        for workload in workloads:
            yield Problem(
                name, workload, lambda rng: {"x": rng.random(8, np.float32)}, expected=lambda x: (2 * x["x"],),
                **options,
            )  # fmt: skip

    problems.operator(name, family=family)(generate)
    for each, function in those.items():
        contender(name, name=each)(function)
    try:
        yield list(generate())
    finally:
        del problems.OPERATORS[name]
        CONTENDERS.pop(name, None)

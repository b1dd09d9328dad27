"""Contenders of another math mode than IEEE's: which problems they take, against what they are held."""

import numpy as np
import pytest

from gpudl.bench.contender import Contender, contender
from gpudl.bench.device import Ceilings, Device, HowTimed, Telemetry, as_arrays, host_float64
from gpudl.bench.measure import CALLS_PER_TURN, MIN_TURNS, measure
from gpudl.bench.problem import OPERATORS, TOLERANCES, Operator, Problem, Work

CEILINGS = Ceilings(copy=1e9, matmul={"float32": 1e9, "tf32": 8e9})


class Counting(Device):
    """Readings are of a second each, and the mean of 20 calls."""

    name, caches = "cpu", ("warm",)

    def __init__(self):
        self.released = 0

    def describe(self):
        return {}

    def place(self, inputs, kind):
        return inputs

    def fetch(self, results):
        return tuple(map(host_float64, as_arrays(results)))

    def copies(self, nbytes, cache):
        return 1

    def turn(self, calls, count):
        assert not self.released
        return [1.0] * count

    def how_timed(self, calls):
        return HowTimed(20, "replays", Telemetry(clock_mhz=1000.0))

    def release(self):
        self.released += 1

    def host_seconds(self, call):
        return 1e-6

    def ceilings(self):
        return CEILINGS


@pytest.fixture
def problem(monkeypatch):
    made = Problem(
        "double", "three", lambda rng: {"x": rng.random(3, np.float32) + 1}, Work(flops=8e9),
        expected=lambda inputs: (2 * inputs["x"].astype(np.float64),),
    )  # fmt: skip
    monkeypatch.setitem(OPERATORS, "double", Operator("double", "doubles", lambda: iter([made])))
    return made


def entrant(error, math=None):
    return Contender(
        "double", f"{error} {math}", lambda x: 2 * x * (1 + error), "array", False, ("cpu",), "", math
    )


def test_tf32_has_the_tolerance_and_the_ceiling_of_tf32(problem):
    ieee, tf32, wrong = measure(
        problem, [entrant(0), entrant(1e-3, "tf32"), entrant(1e-3)], Counting(), CEILINGS, seconds=1
    )
    assert (ieee.status, ieee.tolerance, ieee.floor) == ("ok", TOLERANCES["float32"], 8.0)
    assert (tf32.status, tf32.tolerance, tf32.floor, tf32.bound) == ("ok", TOLERANCES["tf32"], 1.0, "math")
    assert wrong.status == "wrong"


def test_readings_of_many_calls_use_the_time_of_all_of_them(problem):
    """60 seconds of calls are there after the fewest turns: a reading is 20 calls of a second."""
    device = Counting()
    (row,) = measure(problem, [entrant(0)], device, CEILINGS, seconds=60)
    assert len(row.turns) == MIN_TURNS
    assert row.calls == MIN_TURNS * CALLS_PER_TURN * 20
    assert row.detail == "replays"
    assert row.clock_mhz == 1000.0
    assert device.released == 1


def test_tf32_takes_float32_alone():
    tf32 = entrant(0, "tf32")
    assert tf32.takes("cpu", "float32")
    assert not tf32.takes("cpu", "float16")
    assert not tf32.takes("cuda", "float32")
    assert entrant(0).takes("cpu", "float16")


def test_an_unknown_math_is_refused(problem):
    with pytest.raises(ValueError, match=r"contender 'mine': math must be None or one of tf32, got 'fp8'"):
        contender("double", name="mine", math="fp8")

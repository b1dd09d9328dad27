"""Who is timed, in which order, and what the rows say of it. No clock but the test's own."""

import dataclasses
import sys

import numpy as np
import pytest

from gpudl.bench import contender, measure
from gpudl.bench.contender import CONTENDERS, Prepared, UnsupportedError
from gpudl.bench.cpu import CpuDevice
from gpudl.bench.measure import CALLS_PER_TURN, MAX_TURNS, MIN_TURNS, WARM_UP_SECONDS
from gpudl.bench.problem import Work
from tests.bench.records import Clock, FakeDevice, registered
from tests.support.arrays import assert_refuses, bad_calls

MS = 1e-3


def measured(clock, those, *, seconds=0.1, device=None, dtype="float32", **options):
    """The rows of one problem, by contender and cache."""
    device = device or FakeDevice(clock)
    with registered("double", those, workloads=("a",), **options) as (problem,):
        rows = measure.measure(
            problem.of(dtype), list(CONTENDERS["double"].values()), device, device.ceilings(), seconds
        )
    return {(row.contender, row.cache): row for row in rows}


def test_a_row_says_what_was_measured():
    clock = Clock()
    rows = measured(
        clock, {"gpudl": clock.doubling("gpudl", 5 * MS, 1 * MS, 2 * MS)}, work=Work(flops=4e6, values=100, bytes=50),
        group="small", family="doubles", seconds=100,
    )  # fmt: skip
    row = rows["gpudl", "warm"]
    assert (row.operator, row.family, row.group, row.workload) == ("double", "doubles", "small", "a")
    assert (row.status, row.calls, len(row.turns)) == ("ok", MAX_TURNS * CALLS_PER_TURN, MAX_TURNS)
    assert (row.low, row.seconds, row.high) == pytest.approx((1 * MS, 2 * MS, 5 * MS))
    assert row.turns == pytest.approx((2 * MS,) * MAX_TURNS)
    assert (row.flops, row.bytes) == (4e6, 450)
    assert (row.floor, row.bound) == (pytest.approx(4e6 / 1e10), "math")
    assert row.share == pytest.approx(0.2)
    assert row.error == 0
    assert row.tolerance == 1e-4


@pytest.mark.parametrize(
    ("work", "floor", "bound"),
    [
        (Work(flops=1e7, values=1), 1e-3, "math"),
        (Work(flops=1e7, values=1e6), 4e-3, "memory"),
        (Work(bytes=1e7), 1e-2, "memory"),
        (Work(flops=10, values=1), 1e-6, "launch"),
    ],
    ids=["math", "memory", "bytes", "launch"],
)  # fmt: skip
def test_what_binds(work, floor, bound):
    clock = Clock()
    row = measured(clock, {"gpudl": clock.doubling("gpudl", 20 * MS)}, work=work)["gpudl", "warm"]
    assert (row.floor, row.bound, row.share) == (
        pytest.approx(floor),
        bound,
        pytest.approx(floor / (20 * MS)),
    )


def test_the_ceiling_of_the_dtype_is_taken():
    clock = Clock()
    row = measured(clock, {"gpudl": clock.doubling("gpudl", MS)}, work=Work(flops=5e6), dtype="float64")
    assert row["gpudl", "warm"].floor == pytest.approx(1e-3)


def test_contenders_take_turns_and_who_begins_goes_round():
    clock = Clock()
    names = ("gpudl", "b", "c")
    rows = measured(clock, {name: clock.doubling(name, 0.125) for name in names}, seconds=1e-9)
    assert {row.calls for row in rows.values()} == {MIN_TURNS * CALLS_PER_TURN}
    warm_up = 3 * 3  # turns of one call and of two, until 0.2 s are used
    assert WARM_UP_SECONDS == 0.2
    assert clock.calls[:3] == list(names)  # verified
    assert clock.calls[3 : 3 + warm_up] == ["gpudl"] * 3 + ["b"] * 3 + ["c"] * 3
    order = clock.calls[3 + warm_up :: CALLS_PER_TURN]
    assert order == ["gpudl", "b", "c", "b", "c", "gpudl", "c", "gpudl", "b", "gpudl", "b", "c"]


def test_short_calls_are_warmed_up_in_few_turns():
    clock = Clock()
    device = FakeDevice(clock)
    measured(clock, {"gpudl": clock.doubling("gpudl", 1e-6)}, device=device, seconds=1e-9)
    assert (
        len(device.turns) == 18 + MIN_TURNS
    )  # 1 + 2 + 4 ... calls of a microsecond are 0.2 s after 18 turns
    assert [count for count, _ in device.turns[:4]] == [1, 2, 4, 8]


def test_turns_go_on_until_the_time_is_used():
    clock = Clock()
    rows = measured(
        clock,
        {"gpudl": clock.doubling("gpudl", 0.125), "slow": clock.doubling("slow", 0.375)},
        seconds=CALLS_PER_TURN * (0.125 + 0.375) * 2.25,
    )
    # a turn of both is 2/9 of the time for two
    assert {len(row.turns) for row in rows.values()} == {5}


def test_cold_inputs_are_several_sets():
    clock = Clock()
    device = FakeDevice(clock, caches=("warm", "cold"))
    rows = measured(clock, {"gpudl": clock.doubling("gpudl", 0.1)}, device=device)
    assert rows.keys() == {("gpudl", "warm"), ("gpudl", "cold")}
    assert {sets for _, sets in device.turns} == {1, 3}


def test_a_wrong_contender_is_not_timed():
    clock = Clock()
    rows = measured(
        clock, {"gpudl": clock.doubling("gpudl", MS), "off": clock.doubling("off", MS, factor=2.1)}
    )
    row = rows["off", "warm"]
    assert (row.status, row.seconds, row.turns) == ("wrong", None, ())
    assert row.error == pytest.approx(0.05, rel=1e-3)
    assert clock.calls.count("off") == 1
    assert rows["gpudl", "warm"].ok


@pytest.mark.parametrize(
    ("result", "status", "words"),
    [
        (lambda x: np.full(8, np.nan), "wrong", ""),
        (lambda x: np.full(8, -np.inf), "wrong", ""),
        (lambda x: (x, x), "failed", "shapes"),
        (lambda x: x[:3], "failed", "shapes"),
        (lambda x: 1 / 0, "failed", "ZeroDivisionError"),
        (lambda x: sys.exit("no plan"), "failed", "SystemExit: no plan"),
        (lambda x, y: x, "failed", "TypeError"),
    ],
    ids=["nan", "infinite", "two results", "shape", "raises", "exits", "arguments"],
)
def test_what_is_no_right_result(result, status, words):
    clock = Clock()
    rows = measured(clock, {"gpudl": clock.doubling("gpudl", MS), "bad": result})
    assert rows["bad", "warm"].status == status
    assert words in rows["bad", "warm"].detail
    assert rows["gpudl", "warm"].ok


def test_a_contender_that_fails_while_timed_leaves_and_the_others_go_on():
    clock = Clock()
    double = clock.doubling("weak", 0.1)

    def weak(x):
        if clock.calls.count("weak") == 6:
            raise RuntimeError("out of breath")
        return double(x)

    rows = measured(clock, {"weak": weak, "gpudl": clock.doubling("gpudl", 0.1)})
    assert (rows["weak", "warm"].status, rows["weak", "warm"].detail) == (
        "failed",
        "RuntimeError: out of breath",
    )
    assert rows["weak", "warm"].turns == ()
    assert (rows["gpudl", "warm"].status, len(rows["gpudl", "warm"].turns)) == ("ok", MIN_TURNS)


def test_a_contender_that_fails_in_the_timing_of_the_host_is_a_row():
    class Hosted(FakeDevice):
        def host_seconds(self, call):
            raise RuntimeError("no events")

    clock = Clock()
    row = measured(clock, {"gpudl": clock.doubling("gpudl", 0.1)}, device=Hosted(clock))["gpudl", "warm"]
    assert (row.status, row.detail, row.seconds) == ("failed", "RuntimeError: no events", None)


def test_a_contender_may_say_that_it_cannot():
    def unable(x):
        raise UnsupportedError("only on Tuesdays")

    clock = Clock()
    rows = measured(clock, {"gpudl": clock.doubling("gpudl", MS), "unable": unable})
    assert (rows["unable", "warm"].status, rows["unable", "warm"].detail) == (
        "unsupported",
        "only on Tuesdays",
    )


def test_a_contender_that_prepares_and_returns_no_call_has_failed():
    clock = Clock()
    with registered("double", {}, workloads=("a",)) as (problem,):
        contender("double", name="hasty", prepares=True)(lambda x: 2 * x)
        device = FakeDevice(clock)
        (row,) = measure.measure(problem, list(CONTENDERS["double"].values()), device, device.ceilings(), 0.1)
    assert (row.status, row.detail) == (
        "failed",
        "TypeError: a contender that prepares must return the call to time, got ndarray",
    )


@pytest.mark.parametrize("kind", [RuntimeError, UnsupportedError, ImportError])
def test_a_long_reason_is_cut(kind):
    def wordy(x):
        raise kind("word " * 1_000_000)

    rows = measured(Clock(), {"wordy": wordy})
    assert len(rows["wordy", "warm"].detail) == measure.LONGEST_DETAIL


def test_a_contender_that_prepares_is_timed_without_that():
    clock = Clock()
    double = clock.doubling("planned", MS)

    def planned(x):
        clock.now += 100
        return Prepared(lambda: double(x), detail="plan 7")

    with registered("double", {}, workloads=("a",)) as (problem,):
        contender("double", name="planned", prepares=True, difference="in half the bits")(planned)
        device = FakeDevice(clock)
        (row,) = measure.measure(problem, list(CONTENDERS["double"].values()), device, device.ceilings(), 0.1)
    assert row.seconds == pytest.approx(MS)
    assert (row.detail, row.difference) == ("plan 7", "in half the bits")


def test_more_than_a_call_may_be_verified():
    clock = Clock()
    with registered("double", {}, workloads=("a",)) as (problem,):
        contender("double", name="half", prepares=True)(
            lambda x: Prepared(clock.doubling("half", MS), verify=lambda: x)
        )
        contender("double", name="right", prepares=True)(
            lambda x: Prepared(lambda: clock.doubling("right", MS)(x) / 2, verify=lambda: 2 * x)
        )
        device = FakeDevice(clock)
        rows = measure.measure(problem, list(CONTENDERS["double"].values()), device, device.ceilings(), 0.1)
        own = dataclasses.replace(problem, error=lambda results, expected: 7.0, tolerance=7.5)
        others = measure.measure(own, list(CONTENDERS["double"].values()), device, device.ceilings(), 0.1)
    assert [(row.status, row.error) for row in rows] == [("wrong", 0.5), ("ok", 0.0)]
    assert [(row.status, row.error) for row in others][1] == ("ok", 7.0)


def test_inputs_that_one_writes_into_are_its_own():
    def spoils(x):
        y = 2 * x
        x[:] = 0
        clock.now += 0.1
        return y

    clock = Clock()
    rows = measured(clock, {"spoils": spoils, "gpudl": clock.doubling("gpudl", MS)}, seconds=1e-9)
    assert rows["gpudl", "warm"].error == 0


def test_the_cpu_is_timed_call_by_call_after_a_pause():
    clock, pauses = Clock(), []
    device = CpuDevice(clock, pauses.append)
    double = clock.doubling("a", 1.0, 2.0, 3.0)
    x = np.ones(3)
    # the first call is untimed
    assert device.turn([lambda: double(x)], 4) == [2.0, 3.0, 1.0, 2.0]
    assert pauses == [0.05]


def result_error(results, expected):
    return measure.error_of([np.array(each) for each in results], [np.array(each) for each in expected])


def test_the_error_is_the_largest_of_all_results():
    assert result_error([[1.0, 2.0], [0.5]], [[1.0, 2.5], [1.0]]) == 0.5
    assert result_error([[0.25]], [[0.0]]) == 0.25
    assert result_error([[]], [[]]) == 0
    assert result_error([[np.inf]], [[1.0]]) > 1e300
    assert result_error([[1.0, np.nan]], [[1.0, 1.0]]) > 1e300


@bad_calls(
    ("operator", lambda: contender(3, name="a"), TypeError, "operator and name must be strings, got 3"),
    ("name", lambda: contender("x", name=""), TypeError, "operator and name must be strings"),
    ("arrays", lambda: contender("x", name="a", arrays="list"), ValueError, "'a': arrays must be one of array, torch, got 'list'"),
    ("device", lambda: contender("x", name="a", devices=("cpu", "tpu")), ValueError, "'a': devices must be of cpu, cuda, got ('cpu', 'tpu')"),
    ("no device", lambda: contender("x", name="a", devices=()), ValueError, "devices must be of cpu, cuda, got ()"),
    ("prepares", lambda: contender("x", name="a", prepares="yes"), TypeError, "'a': prepares must be True or False, got 'yes'"),
    ("difference", lambda: contender("x", name="a", difference=None), TypeError, "'a': difference must be a string, got None"),
    ("function", lambda: contender("x", name="a")(3), TypeError, "'a': expected a function, got 3"),
    ("call", lambda: Prepared(3), TypeError, "must return the call to time, got int"),
    ("verify", lambda: Prepared(abs, verify=7), TypeError, "Prepared: verify must be None or a function, got 7"),
    ("detail", lambda: Prepared(abs, detail=7), TypeError, "Prepared: detail must be a string, got 7"),
)  # fmt: skip
def test_contender_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_contender_has_a_name_of_its_own():
    with registered("double", {"a": abs}):
        assert_refuses(
            lambda: contender("double", name="a")(abs), ValueError, "double has a contender 'a' already"
        )
        contender("double", name="b", devices="cuda")(abs)
        assert CONTENDERS["double"]["b"].devices == ("cuda",)

"""Which differences between two runs are more than noise."""

import dataclasses
import re

import numpy as np
import pytest

from gpudl.bench import compare
from gpudl.bench.compare import words
from gpudl.bench.record import Record
from tests.bench.records import timed, untimed
from tests.support.arrays import assert_refuses, bad_calls

pytest.importorskip("scipy")

WORKLOADS = [f"size {i}" for i in range(40)]


def run(seed, slow=None, factor=1.0, pace=1.0, noise=0.02, turns=20, workloads=WORKLOADS):
    """gpudl and PyTorch, whose turns share what slows the machine; gpudl `factor` slower on the workloads of `slow`."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, workload in enumerate(workloads):
        moment = pace * (1 + i) * 1e-3 * np.exp(0.04 * rng.standard_normal(turns))
        for name in ("gpudl", "PyTorch"):
            own = factor if name == "gpudl" and slow is not None and workload in slow else 1
            seconds = own * moment * np.exp(noise * rng.standard_normal(turns))
            rows.append(timed(name, seconds.tolist(), workload=workload))
    return Record(rows=rows)


def workloads_of(changes):
    return {change.key[1] for change in changes}


@pytest.mark.parametrize("relative_to", [None, "PyTorch"])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_distribution_is_no_difference(seed, relative_to):
    comparison = compare.compare(run(seed), run(seed + 100), threshold=0, relative_to=relative_to)
    assert len(comparison.changes) == (80 if relative_to is None else 40)
    assert comparison.slower == comparison.faster == []
    assert len(comparison.uncertain) == len(comparison.changes)
    assert not comparison.worse


@pytest.mark.parametrize("relative_to", [None, "PyTorch"])
def test_a_slowdown_of_a_tenth_is_found(relative_to):
    slow = {"size 3", "size 30"}
    comparison = compare.compare(run(0), run(1, slow, 1.1), relative_to=relative_to)
    assert workloads_of(comparison.slower) == slow
    assert {change.key[3] for change in comparison.slower} == {"gpudl"}
    assert [change.ratio for change in comparison.slower] == pytest.approx([1.1, 1.1], rel=0.05)
    assert all(change.p < 0.01 for change in comparison.slower)
    assert comparison.faster == []
    assert comparison.worse


def test_a_speed_up_is_no_reason_to_fail():
    comparison = compare.compare(run(0), run(1, {"size 3"}, 0.8))
    assert workloads_of(comparison.faster) == {"size 3"}
    assert comparison.slower == []
    assert not comparison.worse


def test_smaller_differences_than_the_threshold_are_counted_only():
    runs = run(0), run(1, {"size 3"}, 1.1)
    comparison = compare.compare(*runs, threshold=0.5)
    assert comparison.slower == []
    assert not comparison.worse
    assert "significant, but at most 50 %: 1" in words(comparison)


def test_a_machine_of_another_pace_is_a_difference_unless_relative():
    runs = run(0), run(1, pace=1.2)
    assert len(compare.compare(*runs).slower) == 80
    assert compare.compare(*runs, relative_to="PyTorch").slower == []


def test_few_turns_tell_nothing():
    comparison = compare.compare(run(0, turns=4), run(1, {"size 3"}, 1.5, turns=4))
    assert comparison.slower == []
    assert "size 3" in workloads_of(comparison.uncertain)


def test_what_is_in_one_run_only_and_what_became_of_the_rest():
    before = [
        timed("gpudl", [1e-3] * 8, workload="both"),
        timed("gpudl", [1e-3] * 8, workload="first"),
        timed("gpudl", [1e-3] * 8, workload="breaks"),
        untimed("gpudl", "failed", workload="mends", detail="RuntimeError: no"),
        untimed("gpudl", "unsupported", workload="never", detail="no"),
    ]
    after = [
        timed("gpudl", [1e-3] * 8, workload="both"),
        timed("gpudl", [1e-3] * 8, workload="second"),
        untimed("gpudl", "wrong", workload="breaks", error=0.5, detail="by\x1b[31m far"),
        timed("gpudl", [1e-3] * 8, workload="mends"),
        untimed("gpudl", "unsupported", workload="never", detail="no"),
    ]
    comparison = compare.compare(Record(rows=before), Record(rows=after))
    assert [key[1] for key in comparison.only_before] == ["first"]
    assert [key[1] for key in comparison.only_after] == ["second"]
    assert [old.workload for old, _ in comparison.broken] == ["breaks"]
    assert [old.workload for old, _ in comparison.mended] == ["mends"]
    assert comparison.worse
    assert words(comparison).splitlines()[-8:] == [
        "no longer ok: 1",
        "  conv2d_forward, breaks, float32, gpudl, warm: ok, now wrong: by [31m far",
        "ok now: 1",
        "  conv2d_forward, mends, float32, gpudl, warm: failed, now ok: RuntimeError: no",
        "only in the first run: 1",
        "  conv2d_forward, first, float32, gpudl, warm",
        "only in the second run: 1",
        "  conv2d_forward, second, float32, gpudl, warm",
    ]


def test_rows_without_turns_of_the_reference_are_said():
    rows = run(0, workloads=["a", "b"]).rows
    lone = dataclasses.replace(rows[0], workload="alone")
    uneven = timed("gpudl", [1e-3] * 5, workload="b", cache="cold")
    those = Record(rows=[*rows, lone, uneven, timed("PyTorch", [1e-3] * 6, workload="b", cache="cold")])
    comparison = compare.compare(those, those, relative_to="PyTorch")
    assert [key[1] for key in comparison.without_reference] == ["alone", "b"]
    assert len(comparison.changes) == 2
    assert "not compared, without turns of PyTorch: 2" in words(comparison)


def test_another_processor_is_said_and_another_device_refused():
    before, after = (Record({"device": {"name": "cpu", "cpu": name}}, rows=run(0).rows) for name in "AB")
    assert words(compare.compare(before, after)).splitlines()[1] == "the first run is of A, the second of B"
    assert "run is of" not in words(compare.compare(before, before))
    gpu = Record({"device": {"name": "cuda", "gpu": "C"}}, rows=run(0).rows)
    assert_refuses(
        lambda: compare.compare(before, gpu), ValueError, "the runs must be of one device, got cpu and cuda"
    )


def test_words_name_the_rows_and_figures():
    text = words(compare.compare(run(0), run(1, {"size 3"}, 1.25)))
    head, title, row = text.splitlines()[:3]
    assert head.startswith("80 rows timed in both runs; of the significant differences at most 5% are noise")
    assert title == "slower by more than 5 %: 1"
    number = r"\d\.\d{3}"
    assert re.fullmatch(
        rf"  1\.2\d x  conv2d_forward, size 3, float32, gpudl, warm  {number} ms to {number} ms, p .*e-\d+",
        row,
    )
    text = words(compare.compare(run(0), run(1, {"size 3"}, 1.25), relative_to="PyTorch"))
    assert text.startswith("40 rows timed in both runs, relative to PyTorch in the same turns;")
    assert "times PyTorch, p " in text


@bad_calls(
    ("threshold", lambda: compare.compare(run(0), run(0), threshold=-0.1), ValueError, "threshold must be a number of 0 or more, got -0.1"),
    ("nan", lambda: compare.compare(run(0), run(0), threshold=float("nan")), ValueError, "threshold must be a number of 0 or more, got nan"),
    ("nothing", lambda: compare.compare(run(0), Record()), ValueError, "the runs have no row in common"),
    ("reference", lambda: compare.compare(run(0), run(0), relative_to="cuDNN"), ValueError, "there is no contender 'cuDNN' in both runs; one has PyTorch, gpudl"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

"""How calls are timed on a GPU: what is captured, replayed and waited for, on a device that only counts."""

import pytest

from gpudl.bench import rules
from gpudl.bench.cuda_timer import Timer
from gpudl.bench.device import Telemetry
from tests.support.fake_cupy import FakeCupy


class Monitor:
    """Throttled now and then."""

    def __init__(self, *words):
        self.words = list(words)

    def sample(self):
        return Telemetry(clock_mhz=1980, throttled=self.words.pop(0) if self.words else None)


class Contender:
    """Sets of inputs, whose calls take so many milliseconds each and write down which of them was called."""

    def __init__(self, cupy, sets, milliseconds, first=0.0, result=None):
        self.cupy, self.called, self.first = cupy, [], first
        self.calls = [lambda i=i: self.call(i, milliseconds, result) for i in range(sets)]

    def call(self, i, milliseconds, result):
        self.cupy.work(milliseconds + (self.first if not self.called else 0.0))
        self.called.append(i)
        return result


def timer(cupy, contender, *words):
    return Timer(contender.calls, cupy, cupy.stream(), Monitor(*words))


@pytest.mark.parametrize("sets", [1, 3, 64])
def test_readings_are_seconds_of_a_call_in_replays_that_go_through_all_sets(sets):
    cupy = FakeCupy()
    contender = Contender(cupy, sets, milliseconds=0.5, first=80.0)
    timed = timer(cupy, contender)
    captured = contender.called[-timed.how().calls :]
    assert timed.readings(4) == pytest.approx([0.0005] * 4)
    assert contender.called[-timed.how().calls :] == captured, "replays do not call"
    assert captured == [i % sets for i in range(captured[0], captured[0] + len(captured))]
    assert len(captured) % sets == 0
    assert timed.how().remark.startswith(f"replays of a CUDA graph of {len(captured)} calls")
    assert ("too small to leave L2" in timed.how().remark) == (sets == rules.MOST_COPIES)
    assert cupy.log.count("replay") == 5, "one that is not counted, and four"


def test_the_first_calls_do_not_count():
    """They may compile: the number of calls of a reading is that of the second round."""
    cupy = FakeCupy()
    assert timer(cupy, Contender(cupy, 1, milliseconds=0.001, first=90.0)).how().calls == rules.MOST_CALLS


def test_memory_of_a_capture_is_its_own_and_nothing_waits_inside():
    cupy = FakeCupy()
    timer(cupy, Contender(cupy, 2, milliseconds=1.0))
    inside = cupy.log[cupy.log.index("own memory") : cupy.log.index("common memory")]
    assert inside == ["own memory", "begin capture", "end capture"]


def test_what_cannot_be_captured_is_timed_by_its_calls():
    cupy = FakeCupy()
    contender = Contender(cupy, 2, milliseconds=1.0)

    def reads_the_device():
        if cupy.capturing is not None:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        return contender.calls[0]()

    timed = Timer([reads_the_device, contender.calls[1]], cupy, cupy.stream(), Monitor())
    assert cupy.capturing is None, "the capture was not ended"
    calls = timed.how().calls
    assert timed.how().remark == (
        f"events around {calls} calls, not captured (RuntimeError: operation not permitted when stream is capturing)"
    )
    before = len(contender.called)
    assert timed.readings(2) == pytest.approx([0.001, 0.001])
    assert len(contender.called) - before == 3 * calls


def test_long_calls_are_readings_by_themselves():
    cupy = FakeCupy()
    contender = Contender(cupy, 2, milliseconds=300.0)
    timed = timer(cupy, contender)
    assert (timed.how().calls, timed.how().remark) == (1, "events around one call")
    assert "begin capture" not in cupy.log
    assert contender.called == [0, 1], "no call more than each set needs"
    assert timed.readings(3) == pytest.approx([0.3] * 3)
    assert contender.called == [0, 1, 0, 1, 0]


def test_results_live_until_their_set_comes_again():
    """So that each is written to memory of its own."""
    cupy = FakeCupy()

    class Result:
        alive = 0

        def __init__(self):
            Result.alive += 1

        def __del__(self):
            Result.alive -= 1

    def call():
        cupy.work(1.0)
        return Result()

    timed = Timer([call] * 3, cupy, cupy.stream(), Monitor())
    assert Result.alive == 3
    del timed
    assert Result.alive == 0


def test_a_row_is_marked_by_each_reason_that_lowered_clocks_while_it_ran():
    cupy = FakeCupy()
    timed = timer(
        cupy, Contender(cupy, 1, milliseconds=1.0), None, "power cap", "power cap, heat (software)", None
    )
    for _ in range(4):
        timed.readings(1)
    assert timed.how().telemetry == Telemetry(clock_mhz=1980, throttled="power cap, heat (software)")


def test_a_contender_that_fails_fails_its_turn():
    cupy = FakeCupy()
    with pytest.raises(ZeroDivisionError):
        Timer([lambda: 1 / 0], cupy, cupy.stream(), Monitor())

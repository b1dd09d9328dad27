"""What is decided of timing on a GPU without one."""

import pytest

from gpudl.bench import rules

L2 = 50 << 20


@pytest.mark.parametrize("nbytes", [1, 4096, 1 << 20, L2 // 3, L2, 3 * L2, 40 * L2])
def test_cold_sets_move_twice_l2_between_two_uses_of_one(nbytes):
    sets = rules.copies(nbytes, L2, "cold")
    assert 2 <= sets <= rules.MOST_COPIES
    assert (sets - 1) * nbytes >= 2 * L2 or sets == rules.MOST_COPIES
    assert sets == 2 or (sets - 2) * nbytes < 2 * L2, "fewer would do"


def test_warm_inputs_are_one_set():
    assert rules.copies(1 << 20, L2, "warm") == 1


def test_inputs_of_no_bytes_have_copies_too():
    assert rules.copies(0, L2, "cold") == rules.MOST_COPIES


@pytest.mark.parametrize("sets", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("seconds", [0, 1e-6, 3e-6, 1e-4, 4e-3, 3e-2, 0.099, 0.1, 5.0])
def test_readings_are_whole_rounds_and_neither_short_nor_endless(seconds, sets):
    calls = rules.calls_per_reading(seconds, sets)
    if seconds >= rules.LONG:
        assert calls == 1
        return
    assert calls % sets == 0
    assert calls * seconds >= rules.READING or calls >= rules.MOST_CALLS
    assert calls >= rules.CALLS or calls * seconds >= rules.LONG
    assert calls < rules.MOST_CALLS + sets
    assert calls * seconds <= 2 * rules.LONG + sets * seconds


def test_seconds_of_a_call():
    assert rules.seconds_per_call(milliseconds=5.0, calls=20) == 0.00025


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, None),
        (0x1, None),
        (0x4, "power cap"),
        (0x1 | 0x20 | 0x4, "power cap, heat (software)"),
        (0x8 | 0x40 | 0x80, "hardware slowdown, heat (hardware), power brake"),
        (0x1000, "reason 0x1000"),
        (0x1004, "power cap, reason 0x1000"),
    ],
)
def test_reasons_of_lowered_clocks_in_words(bits, words):
    assert rules.throttled(bits) == words

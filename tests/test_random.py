"""Generator: streams never repeat, and the state is two integers."""

import threading

import pytest

import gpudl
from gpudl.random import Generator
from tests.support.arrays import assert_refuses, bad_calls


def test_streams_are_counted_from_zero():
    generator = Generator(7)
    assert [generator.next_stream() for _ in range(3)] == [(7, 0), (7, 1), (7, 2)]
    assert generator.manual_seed(8).next_stream() == (8, 0)


def test_state_round_trip_continues_the_sequence():
    generator = Generator(2**64 - 1)
    generator.next_stream()
    state = generator.state_dict()
    expected = generator.numpy().random(5).tobytes()
    other = Generator(1)
    other.load_state_dict(state)
    assert other.numpy().random(5).tobytes() == expected


def test_two_unseeded_generators_differ():
    assert Generator().seed != Generator().seed


def test_manual_seed_seeds_the_default():
    assert gpudl.manual_seed(3) is gpudl.random.default_generator
    a = gpudl.nn.Linear(4, 4).weight.data.copy()
    gpudl.manual_seed(3)
    assert (gpudl.nn.Linear(4, 4).weight.data == a).all()
    assert not (gpudl.nn.Linear(4, 4).weight.data == a).any()


def test_streams_are_not_given_out_twice_by_threads():
    generator, taken = Generator(0), []
    workers = [
        threading.Thread(target=lambda: taken.extend(generator.next_stream() for _ in range(500)))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(taken)) == 2000


@bad_calls(
    ("negative", lambda: Generator(-1), ValueError, "seed must be in [0, 2^64), got -1"),
    ("too large", lambda: Generator(2**64), ValueError, "seed must be in [0, 2^64)"),
    ("float", lambda: Generator(1.0), TypeError, "seed must be an int, got float"),
    ("bool", lambda: gpudl.manual_seed(True), TypeError, "seed must be an int, got bool"),
    (
        "keys",
        lambda: Generator(0).load_state_dict({"seed": 1}),
        ValueError,
        "keys 'seed' and 'stream', got ['seed']",
    ),
    (
        "state",
        lambda: Generator(0).load_state_dict({"seed": 1, "stream": "2"}),
        TypeError,
        "stream must be an int",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_refused_state_changes_nothing():
    generator = Generator(5)
    with pytest.raises(ValueError, match="stream"):
        generator.load_state_dict({"seed": 1, "stream": -1})
    assert generator.next_stream() == (5, 0)

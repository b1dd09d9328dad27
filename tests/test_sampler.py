"""Samplers: orders that follow from seed and epoch, and batches of them."""

from collections import Counter

import numpy as np
import pytest

from gpudl.data import BatchSampler, RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler
from gpudl.random import Generator
from tests.support.arrays import assert_refuses, bad_calls


def test_sequential():
    sampler = SequentialSampler("abcd")
    assert list(sampler) == list(sampler) == [0, 1, 2, 3]
    assert len(sampler) == 4


def test_random_orders_follow_from_seed_and_epoch():
    sampler = RandomSampler(range(50), generator=3)
    epochs = [list(sampler) for _ in range(3)]
    assert all(sorted(order) == list(range(50)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    again = RandomSampler(range(50), generator=3)
    again.set_epoch(2)
    assert list(again) == epochs[2]
    assert list(RandomSampler(range(50), generator=4)) != epochs[0]
    assert list(RandomSampler(range(50), generator=Generator(3))) == list(
        RandomSampler(range(50), generator=Generator(3))
    )


def test_state_takes_over_the_orders():
    sampler, other = RandomSampler(range(20), generator=3), RandomSampler(range(20))
    other.load_state_dict(sampler.state_dict())
    assert list(other) == list(sampler)
    assert_refuses(lambda: other.load_state_dict({}), ValueError, "state must have the key 'seed'")


@pytest.mark.parametrize(("count", "replacement"), [(7, False), (25, False), (7, True), (1000, True)])
def test_number_of_samples_and_replacement(count, replacement):
    sampler = RandomSampler(range(10), replacement, count, generator=1)
    order = list(sampler)
    assert len(order) == len(sampler) == count
    counts = Counter(order)
    assert set(counts) <= set(range(10))
    if not replacement:  # whole permutations: no sample comes twice before all have come
        assert max(counts.values()) - min(counts.get(i, 0) for i in range(10)) <= 1
    if count == 1000:
        assert max(counts.values()) < 140  # 100 expected, deviation 9.5


def test_weights_are_proportions():
    sampler = WeightedRandomSampler([0, 1, 3], 4000, generator=1)
    counts = Counter(sampler)
    assert counts[0] == 0
    assert len(sampler) == 4000
    assert 2850 < counts[2] < 3150  # 3000 expected, deviation 27
    assert sorted(WeightedRandomSampler([5, 0, 1, 2], 3, replacement=False, generator=2)) == [0, 2, 3]


@pytest.mark.parametrize("unit", [1e308, 5e-324, 3.0])
def test_weights_of_any_size(unit):
    order = list(WeightedRandomSampler([unit, 0, unit], 50, generator=2))
    assert order == list(WeightedRandomSampler([1, 0, 1], 50, generator=2))


@pytest.mark.parametrize(
    ("drop_last", "expected"), [(False, [[0, 1, 2], [3, 4, 5], [6]]), (True, [[0, 1, 2], [3, 4, 5]])]
)
def test_batches(drop_last, expected):
    batches = BatchSampler(SequentialSampler(range(7)), 3, drop_last)
    assert list(batches) == expected
    assert len(batches) == len(expected)


def test_batches_pass_the_epoch_on():
    batches = BatchSampler(RandomSampler(range(9), generator=1), 4, False)
    first, second = list(batches), list(batches)
    batches.set_epoch(1)
    assert list(batches) == second != first


@bad_calls(
    ("abstract", lambda: iter(Sampler()), NotImplementedError, "Sampler does not define __iter__"),
    ("abstract length", lambda: len(Sampler()), NotImplementedError, "Sampler does not define __len__"),
    ("replacement", lambda: RandomSampler([1], 1), TypeError, "replacement must be a bool, got int"),
    ("num_samples", lambda: RandomSampler([1], num_samples=0), ValueError, "num_samples must be at least 1, got 0"),
    ("empty", lambda: RandomSampler([], num_samples=1), ValueError, "data_source is empty, cannot draw 1"),
    ("generator", lambda: RandomSampler([1], generator="x"), TypeError, "generator must be a seed (int)"),
    ("seed", lambda: RandomSampler([1], generator=-1), ValueError, "must be in [0, 2^64), got -1"),
    ("epoch", lambda: RandomSampler([1]).set_epoch(-1), ValueError, "epoch must be at least 0, got -1"),
    ("negative weight", lambda: WeightedRandomSampler([1, -1], 1), ValueError, "weights must be finite, at least 0"),
    ("weights", lambda: WeightedRandomSampler(np.ones((2, 2)), 1), ValueError, "one number per sample, got shape (2, 2)"),
    ("too many", lambda: WeightedRandomSampler([1, 0], 2, False), ValueError, "num_samples must be at most 1"),
    ("batch_size", lambda: BatchSampler([1], 0, False), ValueError, "batch_size must be at least 1, got 0"),
    ("drop_last", lambda: BatchSampler([1], 1, None), TypeError, "drop_last must be a bool, got NoneType"),
    ("no iterable", lambda: BatchSampler(5, 1, False), TypeError, "sampler must be iterable, got int"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

"""Data sets: arrays as one, parts of one, random parts."""

import numpy as np
import pytest

import gpudl
from gpudl.data import ArrayDataset, Dataset, Subset, default_collate, random_split
from tests.support.arrays import assert_refuses, bad_calls, random_array, with_layout

X, Y = random_array((10, 3, 4, 5)), np.arange(10)


def test_samples_are_tuples_of_rows():
    dataset = ArrayDataset(X, Y)
    assert len(dataset) == 10
    x, y = dataset[3]
    assert (x == X[3]).all()
    assert y == 3
    assert len(ArrayDataset(X)[0]) == 1


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided", "reversed", "read_only"])
def test_a_batch_is_fetched_as_whole_arrays(layout):
    images = with_layout(X, layout)
    batch = ArrayDataset(images, Y).__getitems__([7, 0, -1, 7])
    x, y = default_collate(batch)
    assert (x == X[[7, 0, 9, 7]]).all()
    assert (y == [7, 0, 9, 7]).all()
    assert not np.shares_memory(x, images)
    assert len(batch) == 4
    assert batch[1][1] == 0
    assert [sample[1] for sample in batch[1:3]] == [0, 9]
    if layout == "channels_last":
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous


class Squares:
    """A data set as PyTorch users write them: two methods, no base class."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return index**2


def test_subsets_nest():
    inner = Subset(ArrayDataset(X, Y), [9, -2, 3, 1])
    outer = Subset(inner, [3, 0])
    assert len(outer) == 2
    assert [int(y) for _, y in (outer[0], outer[1])] == [1, 9]
    _, y = default_collate(outer.__getitems__([1, 0]))
    assert (y == [9, 1]).all()
    assert Subset(Squares(), [5, 2]).__getitems__([0, 1]) == [25, 4]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([7, 3], [7, 3]),
        ([0.5, 0.5], [5, 5]),
        ([0.33, 0.33, 0.34], [4, 3, 3]),
        ([1.0], [10]),
        ([10, 0], [10, 0]),
    ],
)
def test_random_split(lengths, sizes):
    parts = random_split(ArrayDataset(X, Y), lengths, generator=5)
    assert [len(part) for part in parts] == sizes
    assert sorted(int(part[i][1]) for part in parts for i in range(len(part))) == list(range(10))
    again = random_split(ArrayDataset(X, Y), lengths, generator=5)
    assert [part.indices for part in again] == [part.indices for part in parts]
    assert random_split(range(10), [10], generator=6)[0].indices != parts[0].indices


def test_random_split_from_the_default_generator():
    gpudl.manual_seed(1)
    first = random_split(Squares(), [3, 3])[0].indices
    assert random_split(Squares(), [3, 3])[0].indices != first
    gpudl.manual_seed(1)
    assert random_split(Squares(), [3, 3])[0].indices == first


@bad_calls(
    ("abstract", lambda: Dataset()[0], NotImplementedError, "Dataset does not define __getitem__"),
    ("abstract length", lambda: len(Dataset()), NotImplementedError, "Dataset does not define __len__"),
    ("no arrays", lambda: ArrayDataset(), ValueError, "expected at least one array, got none"),
    ("a list", lambda: ArrayDataset(X, [1]), TypeError, "argument 1 must be a NumPy array, got list"),
    ("scalar", lambda: ArrayDataset(np.zeros(())), ValueError, "argument 0 must have rows, got shape ()"),
    ("rows", lambda: ArrayDataset(X, Y[:3]), ValueError, "as many rows as the first, got (10, 3, 4, 5), (3,)"),
    ("index", lambda: ArrayDataset(Y).__getitems__([10]), IndexError, "indices must be in [-10, 10), got 10"),
    ("floats", lambda: Subset(Squares(), [0.5]), TypeError, "indices must be a list of ints"),
    ("no data set", lambda: Subset(5, [0]), TypeError, "int has no __len__ and no __getitem__"),
    ("no lengths", lambda: random_split(Squares(), 6), TypeError, "lengths must be a list of numbers, got int"),
    ("text", lambda: random_split(Squares(), "6"), TypeError, "lengths must be a list of numbers, got str"),
    ("lengths", lambda: random_split(Squares(), [5, 2]), ValueError, "must add up to the 6 samples"),
    ("fractions", lambda: random_split(Squares(), [0.5, 0.2]), ValueError, "or to 1 as fractions"),
    ("negative", lambda: random_split(Squares(), [7, -1]), ValueError, "every item of lengths must be a finite number"),
    ("generator", lambda: random_split(Squares(), [6], generator=1.5), TypeError, "generator must be a seed (int)"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

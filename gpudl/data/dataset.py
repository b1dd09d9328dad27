"""Data sets: anything with `__len__` and `__getitem__`, arrays as one, and parts of one.

A data set may also define `__getitems__(indices)`, PyTorch's optional method that fetches the samples of a
batch together. `ArrayDataset` does, and no Python runs per sample then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gpudl.data._seeds import check_generator, epoch_numbers, seed_from
from gpudl.ops import _arrays


class Dataset:
    """What a data set has: `len(dataset)` and `dataset[index]` for 0 <= index < len(dataset).

    Subclassing is optional: whatever has the two methods is a data set, PyTorch's included. A sample is an
    array, a number, a tensor, a Pillow image, or a tuple, list or dict of them.
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")


class SampleBatch(Sequence):
    """Samples that were fetched together: a sequence of tuples whose columns are whole arrays already.

    `default_collate` takes the columns as they are; any other collate function sees a list of samples.
    """

    def __init__(self, columns: tuple[np.ndarray, ...]):
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return SampleBatch(tuple(column[index] for column in self.columns))
        return tuple(column[index] for column in self.columns)


class ArrayDataset(Dataset):
    """Samples are rows of arrays: dataset[i] == (x[i], y[i], ...), always a tuple.

    arrays : NumPy arrays with the same number of rows. They are not copied.

    Raises TypeError where one is not a NumPy array, ValueError where the numbers of rows differ.
    Follows torch.utils.data.TensorDataset.
    """

    def __init__(self, *arrays: np.ndarray):
        if not arrays:
            raise ValueError("ArrayDataset: expected at least one array, got none")
        for position, array in enumerate(arrays):
            if not isinstance(array, np.ndarray):
                raise TypeError(
                    f"ArrayDataset: argument {position} must be a NumPy array, got {type(array).__name__}"
                )
            if array.ndim == 0:
                raise ValueError(f"ArrayDataset: argument {position} must have rows, got shape ()")
        if len({len(array) for array in arrays}) > 1:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ValueError(f"ArrayDataset: all arrays must have as many rows as the first, got {shapes}")
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(array[index] for array in self.arrays)

    def __getitems__(self, indices: Sequence[int]) -> SampleBatch:
        rows = _rows(indices, len(self))
        return SampleBatch(tuple(_take(array, rows) for array in self.arrays))


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order. Follows torch.utils.data.Subset."""

    def __init__(self, dataset: Any, indices: Sequence[int]):
        require_dataset("Subset", dataset)
        self.dataset = dataset
        self.indices = _rows(indices, len(dataset)).tolist()

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> Any:
        return fetch_samples(self.dataset, [self.indices[index] for index in indices])


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset]:
    """Cut `dataset` at random into parts that do not overlap.

    lengths : numbers of samples that add up to len(dataset), or fractions that add up to 1; what is left of
        rounding fractions down goes one each to the first parts.
    generator : a seed (int), a gpudl.random.Generator or None for the default generator.

    Follows torch.utils.data.random_split.
    """
    require_dataset("random_split", dataset)
    check_generator("random_split", generator)
    counts = _counts(len(dataset), lengths)
    order = epoch_numbers(seed_from(generator), 0).permutation(len(dataset)).tolist()
    ends = np.cumsum(counts).tolist()
    return [Subset(dataset, order[end - count : end]) for end, count in zip(ends, counts, strict=True)]


def require_dataset(what: str, dataset: Any) -> None:
    """Check for `__len__` and `__getitem__`."""
    missing = [name for name in ("__len__", "__getitem__") if not hasattr(type(dataset), name)]
    if missing:
        raise TypeError(
            f"{what}: dataset must have __len__ and __getitem__, "
            f"{type(dataset).__name__} has no {' and no '.join(missing)}"
        )


def fetch_samples(dataset: Any, indices: list[int]) -> Any:
    """The samples at `indices`: together where the data set can, else one after the other."""
    together = getattr(dataset, "__getitems__", None)
    return [dataset[index] for index in indices] if together is None else together(indices)


def _counts(total: int, lengths: Sequence[int | float]) -> list[int]:
    if isinstance(lengths, str) or not isinstance(lengths, Iterable):
        raise TypeError(f"random_split: lengths must be a list of numbers, got {type(lengths).__name__}")
    values = list(lengths)
    for value in values:
        _arrays.real("random_split", "every item of lengths", value, minimum=0)
    if all(isinstance(value, int | np.integer) for value in values) and sum(values) == total:
        return [int(value) for value in values]
    if not math.isclose(sum(values), 1) or max(values) > 1:
        raise ValueError(
            f"random_split: lengths must add up to the {total} samples of the data set, or to 1 as fractions, "
            f"got {values}"
        )
    counts = [math.floor(total * value) for value in values]
    for position in range(total - sum(counts)):
        counts[position % len(counts)] += 1
    return counts


def _rows(indices: Sequence[int], length: int) -> np.ndarray:
    """Indices as an array in [0, length)."""
    rows = np.asarray(indices)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise TypeError(f"dataset: indices must be a list of ints, got shape {rows.shape} of {rows.dtype}")
    rows = rows.astype(np.intp, copy=False)
    if rows.size and not (-length <= rows.min() and rows.max() < length):
        worst = rows.min() if rows.min() < -length else rows.max()
        raise IndexError(f"dataset: indices must be in [{-length}, {length}), got {worst}")
    return np.where(rows < 0, rows + length, rows)


def _take(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """array[rows], in memory of the same order (channels-last stays channels-last)."""
    last = array.ndim == 4 and not array.flags.c_contiguous
    source = np.asarray(array).transpose(0, 2, 3, 1) if last else np.asarray(array)
    if not source.flags.c_contiguous or array.dtype.hasobject:
        return array[rows]  # numpy.take would copy all of it first
    result = _arrays.empty((len(rows), *source.shape[1:]), source.dtype, like=source)
    np.take(source, rows, axis=0, out=result, mode="clip")  # "raise" would fill a buffer first
    return result.transpose(0, 3, 1, 2) if last else result

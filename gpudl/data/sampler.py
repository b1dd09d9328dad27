"""Samplers: in which order the samples of a data set come, and how they are grouped into batches.

The order of a random sampler depends on (seed, epoch) and on nothing else. Iterating goes to the next epoch;
`set_epoch` says which one comes next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from gpudl.data._seeds import check_generator, epoch_numbers, seed_from
from gpudl.ops import _arrays


class Sampler:
    """Base of samplers: `__iter__` gives indices, `__len__` says how many.

    Subclassing is optional. A sampler of your own that is random should define `set_epoch(epoch)` and give the
    same order for the same epoch; a loader that is resumed in the middle of an epoch relies on it.
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")


class SequentialSampler(Sampler):
    """0, 1, ..., len(data_source) - 1."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class _RandomOrder(Sampler):
    """A sampler whose order comes from (seed, epoch)."""

    def __init__(self, generator: Any):
        check_generator(type(self).__name__, generator)
        self.seed = seed_from(generator)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration gives the order of `epoch`."""
        self.epoch = _arrays.integer(type(self).__name__, "epoch", epoch, minimum=0)

    def state_dict(self) -> dict[str, int]:
        """{"seed"}: what the order of every epoch follows from."""
        return {"seed": self.seed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take over the orders of the sampler that gave `state`."""
        if set(state) != {"seed"}:
            raise ValueError(f"{type(self).__name__}: state must have the key 'seed', got {sorted(state)}")
        check_generator(type(self).__name__, state["seed"])
        self.seed = seed_from(state["seed"])

    def __iter__(self) -> Iterator[int]:
        numbers = epoch_numbers(self.seed, self.epoch)
        self.epoch += 1
        return iter(self._order(numbers).tolist())

    def _order(self, numbers: np.random.Generator) -> np.ndarray:
        raise NotImplementedError


class RandomSampler(_RandomOrder):
    """All samples in random order, or a number of them drawn at random.

    data_source : a data set, of which only the length is used.
    replacement : whether a sample may come again before all have come.
    num_samples : how many to draw per epoch; None for len(data_source). Without replacement more than
        len(data_source) come as whole permutations one after the other.
    generator : a seed (int), a gpudl.random.Generator or None for the default generator.

    Follows torch.utils.data.RandomSampler.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ):
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be a bool, got {type(replacement).__name__}")
        if num_samples is not None:
            num_samples = _arrays.integer("RandomSampler", "num_samples", num_samples, minimum=1)
            if len(data_source) == 0:
                raise ValueError(
                    f"RandomSampler: data_source is empty, cannot draw {num_samples} samples of it"
                )
        super().__init__(generator)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self) -> int:
        return self.num_samples

    def _order(self, numbers: np.random.Generator) -> np.ndarray:
        n, count = len(self.data_source), self.num_samples
        if self.replacement:
            return numbers.integers(n, size=count) if count else np.empty(0, np.int64)
        rounds = [numbers.permutation(n) for _ in range(-(-count // max(n, 1)))]
        return np.concatenate([np.empty(0, np.int64), *rounds])[:count]


class WeightedRandomSampler(_RandomOrder):
    """Indices 0 ... len(weights) - 1 drawn with probabilities in proportion to `weights`.

    weights : numbers >= 0 that need not add up to 1.
    num_samples : how many to draw per epoch.
    replacement : whether an index may come more than once.
    generator : a seed (int), a gpudl.random.Generator or None for the default generator.

    Follows torch.utils.data.WeightedRandomSampler.
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Any = None
    ):
        op = "WeightedRandomSampler"
        num_samples = _arrays.integer(op, "num_samples", num_samples, minimum=1)
        if not isinstance(replacement, bool):
            raise TypeError(f"{op}: replacement must be a bool, got {type(replacement).__name__}")
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1 or not self.weights.size:
            raise ValueError(f"{op}: weights must be one number per sample, got shape {self.weights.shape}")
        if not (np.isfinite(self.weights).all() and self.weights.min() >= 0 and self.weights.max() > 0):
            raise ValueError(f"{op}: weights must be finite, at least 0 and not all 0")
        possible = np.count_nonzero(self.weights)
        if not replacement and num_samples > possible:
            raise ValueError(
                f"{op}: without replacement num_samples must be at most {possible}, the number of weights "
                f"above 0, got {num_samples}"
            )
        super().__init__(generator)
        self.num_samples = num_samples
        self.replacement = replacement

    def __len__(self) -> int:
        return self.num_samples

    def _order(self, numbers: np.random.Generator) -> np.ndarray:
        # by a power of two, which changes no share: the sum of huge weights would be infinite
        weights = np.ldexp(self.weights, -np.frexp(self.weights.max())[1])
        shares = weights / weights.sum()
        return numbers.choice(len(shares), self.num_samples, replace=self.replacement, p=shares)


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of `sampler`; the last is shorter, or left out where drop_last is True.

    Follows torch.utils.data.BatchSampler.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        if not hasattr(sampler, "__iter__"):
            raise TypeError(f"BatchSampler: sampler must be iterable, got {type(sampler).__name__}")
        if not isinstance(drop_last, bool):
            raise TypeError(f"BatchSampler: drop_last must be a bool, got {type(drop_last).__name__}")
        self.sampler = sampler
        self.batch_size = _arrays.integer("BatchSampler", "batch_size", batch_size, minimum=1)
        self.drop_last = drop_last

    def set_epoch(self, epoch: int) -> None:
        """Pass `epoch` to the sampler, where that has epochs."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        samples = len(self.sampler)  # type: ignore[arg-type]
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

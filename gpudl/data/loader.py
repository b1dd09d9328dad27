"""DataLoader: batches of a data set in a known order, made ahead of time by threads or processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from gpudl.data import _workers
from gpudl.data._seeds import check_generator
from gpudl.data.collate import default_collate
from gpudl.data.dataset import fetch_samples, require_dataset
from gpudl.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from gpudl.ops import _arrays


class DataLoader:
    """Each `iter(loader)` is one epoch of batches, as NumPy arrays.

    Parameters
    ----------
    dataset : whatever has `__len__` and `__getitem__`, PyTorch's data sets included.
    batch_size : samples in a batch; the last is shorter, or left out with drop_last=True.
    shuffle : True for a new random order in every epoch.
    sampler : the order of the samples, in place of shuffle. batch_sampler : the batches, in place of batch_size,
        shuffle, sampler and drop_last. Either may have `set_epoch`, `state_dict` and `load_state_dict`.
    num_workers : how many threads or processes make batches ahead of time; 0 makes each when it is asked for.
    collate_fn : list of samples to a batch; `default_collate` by default.
    timeout : seconds to wait for a batch of a worker; 0 waits for ever.
    worker_init_fn : called in each worker with its number.
    generator : a seed (int), a gpudl.random.Generator or None for the default one: the order where shuffle is True.
    prefetch_factor : batches that each worker makes ahead; 2 by default, only with workers.
    persistent_workers : True keeps the workers from one epoch to the next.
    workers : "threads" share memory and suit NumPy; "processes" suit a data set that runs Python code. A data set,
        collate_fn, worker_init_fn and transform for processes must be importable (they are pickled to the workers).
    transform : called as transform(images, indices=..., epoch=...) with the first item of each batch, the numbers of
        its samples and that of the epoch.

    The batches depend on the seed and the epoch only: not on num_workers, timing, or an interruption.
    `state_dict()` between two batches, and `load_state_dict` later: the next iteration goes on with the batch after.
    An error in a worker is raised here; a worker that dies is reported. Follows torch.utils.data.DataLoader.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        workers: str = "threads",
        transform: Callable[..., Any] | None = None,
    ):
        require_dataset("DataLoader", dataset)
        check_generator("DataLoader", generator)
        _arrays.one_of("DataLoader", "shuffle", shuffle, (None, False, True))
        _arrays.one_of("DataLoader", "workers", workers, ("threads", "processes"))
        for name, function in (
            ("collate_fn", collate_fn),
            ("worker_init_fn", worker_init_fn),
            ("transform", transform),
        ):
            if function is not None and not callable(function):
                raise TypeError(f"DataLoader: {name} must be callable, got {type(function).__name__}")
        self.dataset = dataset
        self.num_workers = _arrays.integer("DataLoader", "num_workers", num_workers, minimum=0)
        self.timeout = _arrays.real("DataLoader", "timeout", timeout, minimum=0)
        self.prefetch_factor = self._checked_prefetch(prefetch_factor, persistent_workers)
        self.persistent_workers = persistent_workers
        self.batch_sampler = _batch_sampler(
            dataset, batch_size, shuffle, sampler, batch_sampler, drop_last, generator
        )
        self.workers = workers
        self.worker_init_fn = worker_init_fn
        self.fetch = Fetch(dataset, collate_fn or default_collate, transform)
        self._crew: _workers.Crew | None = None
        self._next = (0, 0)  # epoch and batch with which the next iteration starts
        self._reached = (0, 0)  # epoch and batch that would come next

    def _checked_prefetch(self, prefetch_factor: int | None, persistent_workers: bool) -> int:
        _arrays.one_of("DataLoader", "persistent_workers", persistent_workers, (False, True))
        if self.num_workers == 0 and (prefetch_factor is not None or persistent_workers or self.timeout):
            raise ValueError(
                "DataLoader: prefetch_factor, persistent_workers and timeout need num_workers of at least 1, got 0"
            )
        if prefetch_factor is None:
            return 2
        return _arrays.integer("DataLoader", "prefetch_factor", prefetch_factor, minimum=1)

    def __len__(self) -> int:
        return len(self.batch_sampler)  # type: ignore[arg-type]

    @property
    def epoch(self) -> int:
        """The epoch that goes on, or is next."""
        return self._reached[0]

    def __iter__(self) -> Iterator[Any]:
        epoch, first = self._next
        if hasattr(self.batch_sampler, "set_epoch"):
            self.batch_sampler.set_epoch(epoch)
        batches = [list(batch) for batch in self.batch_sampler][first:]  # a sampler may fill one list anew
        self._next, self._reached = (epoch + 1, 0), (epoch, first)
        return self._iterate(epoch, first, batches)

    def _iterate(self, epoch: int, first: int, batches: list[list[int]]) -> Iterator[Any]:
        for position, batch in enumerate(self._made(epoch, batches), first + 1):
            self._reached = (epoch, position)
            yield batch
        if self._next == (epoch + 1, 0):
            self._reached = self._next

    def _made(self, epoch: int, batches: list[list[int]]) -> Iterator[Any]:
        if self.num_workers == 0:
            for indices in batches:
                yield self.fetch(indices, epoch)
            return
        crew = self._crew or _workers.CREWS[self.workers](self.num_workers, self.fetch, self.worker_init_fn)
        self._crew = None
        whole = False
        try:
            yield from crew.run(batches, epoch, self.num_workers * self.prefetch_factor, self.timeout)
            whole = True
        finally:
            if whole and self.persistent_workers and self._crew is None:
                self._crew = crew
            else:
                crew.close()

    def close(self) -> None:
        """End persistent workers; the next iteration starts new ones."""
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()

    def state_dict(self) -> dict[str, Any]:
        """{"epoch", "position": batches handed out in it, "sampler"}: plain numbers, right between two batches."""
        sampler = _stateful(self.batch_sampler)
        epoch, position = self._reached
        return {
            "epoch": epoch,
            "position": position,
            "sampler": None if sampler is None else sampler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next iteration goes on where the loader that gave `state` was."""
        if not isinstance(state, dict) or set(state) != {"epoch", "position", "sampler"}:
            got = sorted(state) if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"DataLoader: state must have the keys epoch, position and sampler, got {got}")
        epoch, position = (
            _arrays.integer("DataLoader", name, state[name], minimum=0) for name in ("epoch", "position")
        )
        sampler = _stateful(self.batch_sampler)
        if (sampler is None) != (state["sampler"] is None):
            raise ValueError("DataLoader: state must be that of a loader with the same kind of sampler")
        if sampler is not None:
            sampler.load_state_dict(state["sampler"])
        self._next = self._reached = (epoch, position)


class Fetch:
    """Indices of one batch to the batch; goes to the workers whole."""

    def __init__(
        self, dataset: Any, collate_fn: Callable[[list[Any]], Any], transform: Callable[..., Any] | None
    ):
        self.dataset = dataset
        self.collate_fn = collate_fn
        self.transform = transform

    def __call__(self, indices: list[int], epoch: int) -> Any:
        batch = self.collate_fn(fetch_samples(self.dataset, indices))
        if self.transform is None:
            return batch
        numbers = np.asarray(indices, np.int64)
        if not isinstance(batch, tuple | list):
            return self.transform(batch, indices=numbers, epoch=epoch)
        items = [self.transform(batch[0], indices=numbers, epoch=epoch), *batch[1:]]
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)


def _batch_sampler(
    dataset: Any,
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
    generator: Any,
) -> Iterable[list[int]]:
    """The batches' indices; raises for arguments that exclude each other."""
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if not hasattr(batch_sampler, "__iter__") or not hasattr(batch_sampler, "__len__"):
            raise TypeError("DataLoader: batch_sampler must have __iter__ and __len__")
        return batch_sampler
    if batch_size is None:
        raise ValueError(
            "DataLoader: batch_size must be an int, got None; index the data set for single samples"
        )
    if sampler is not None and shuffle:
        raise ValueError("DataLoader: sampler excludes shuffle")
    if sampler is None:
        sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
    return BatchSampler(sampler, batch_size, drop_last)


def _stateful(batch_sampler: Any) -> Any:
    """The sampler that has a state, or None."""
    for candidate in (batch_sampler, getattr(batch_sampler, "sampler", None)):
        if hasattr(candidate, "state_dict") and hasattr(candidate, "load_state_dict"):
            return candidate
    return None

"""DataLoader: the same batches for any workers, positions that resume, errors and deaths that are reported."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudl.data import ArrayDataset, BatchSampler, DataLoader, SequentialSampler, Subset
from tests.support import datasets
from tests.support.arrays import assert_refuses, bad_calls

CREWS = [
    {},
    {"num_workers": 1},
    {"num_workers": 3, "prefetch_factor": 1},
    {"num_workers": 2, "workers": "processes"},
]
every_crew = pytest.mark.parametrize("crew", CREWS, ids=str)


def arrays(length=23):
    return ArrayDataset(np.arange(2 * length, dtype=np.float32).reshape(length, 2), np.arange(length))


def epochs(loader, count):
    """[[(x, y), ...] for each epoch], as lists."""
    return [[(x.tolist(), np.asarray(y).tolist()) for x, y in loader] for _ in range(count)]


def loader_for(crew, **options):
    options = {"batch_size": 4, "shuffle": True, "generator": 5, "transform": datasets.noise, **options}
    return DataLoader(arrays(), **options, **crew)


@every_crew
def test_the_same_batches_whatever_the_workers(crew):
    assert epochs(loader_for(crew), 2) == epochs(loader_for({}), 2)


def test_every_epoch_has_its_own_order_and_all_samples():
    first, second = epochs(loader_for({}, transform=None), 2)
    assert first != second
    for epoch in (first, second):
        assert sorted(itertools.chain(*(y for _, y in epoch))) == list(range(23))
        assert [len(y) for _, y in epoch] == [4, 4, 4, 4, 4, 3]
    assert epochs(loader_for({}, generator=6, transform=None), 1) != [first]


@every_crew
def test_resumed_at_any_position(crew):
    whole = list(itertools.chain(*epochs(loader_for({}), 3)))
    for stop in range(0, 18, 1 if not crew else 5):
        loader = loader_for(crew)
        seen = []
        while len(seen) < stop:
            for x, y in loader:
                seen.append((x.tolist(), y.tolist()))
                if len(seen) == stop:
                    saved = json.loads(json.dumps(loader.state_dict()))
                    break
        if stop == 0:
            saved = loader.state_dict()
        other = loader_for(crew, generator=99)
        other.load_state_dict(saved)
        rest = list(itertools.chain(*epochs(other, 4)))[: 18 - stop]
        assert seen + rest == whole, stop


def test_the_state_tells_epoch_and_position():
    loader = DataLoader(arrays(), 10)
    assert loader.state_dict() == {"epoch": 0, "position": 0, "sampler": None}
    batches = iter(loader)
    next(batches)
    next(batches)
    assert loader.state_dict() == {"epoch": 0, "position": 2, "sampler": None}
    assert [y.tolist() for _, y in batches] == [[20, 21, 22]]
    assert loader.state_dict() == {"epoch": 1, "position": 0, "sampler": None}
    loader.load_state_dict({"epoch": 4, "position": 3, "sampler": None})
    assert list(loader) == []
    assert loader.epoch == 5


def test_breaking_off_goes_to_the_next_epoch():
    whole = epochs(loader_for({}), 2)
    loader = loader_for({"num_workers": 2})
    for _ in loader:
        break
    assert epochs(loader, 1) == whole[1:]


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_persistent_workers(workers):
    crew = {"num_workers": 2, "workers": workers, "persistent_workers": True}
    loader = loader_for(crew)
    assert epochs(loader, 2) == epochs(loader_for({}), 2)
    assert loader._crew is not None
    kept = loader._crew
    list(loader)
    assert loader._crew is kept
    loader.close()
    assert loader._crew is None
    assert epochs(loader, 1) == epochs(loader_for({}), 4)[3:]
    loader.close()


@given(
    length=st.integers(0, 30),
    batch_size=st.integers(1, 12),
    drop_last=st.booleans(),
    num_workers=st.integers(0, 2),
)
def test_lengths(length, batch_size, drop_last, num_workers):
    loader = DataLoader(arrays(length), batch_size, drop_last=drop_last, num_workers=num_workers)
    batches = list(loader)
    assert len(batches) == len(loader)
    seen = [label for _, y in batches for label in y.tolist()]
    assert seen == list(range(length - length % batch_size if drop_last else length))


@every_crew
def test_data_sets_by_python(crew):
    loader = DataLoader(datasets.Squares(9), 4, **crew)
    assert epochs(loader, 1) == [
        [
            ([[0], [1], [4], [9]], [0, 1, 2, 3]),
            ([[16], [25], [36], [49]], [4, 5, 6, 7]),
            ([[64]], [8]),
        ]
    ]
    assert list(DataLoader(datasets.Squares(5), 2, collate_fn=datasets.reverse, **crew)) == [
        [1, 0],
        [3, 2],
        [4],
    ]


def test_samplers_and_subsets():
    data = Subset(arrays(), [3, 1, 4, 1, 5])
    assert [y.tolist() for _, y in DataLoader(data, 2)] == [[3, 1], [4, 1], [5]]
    assert [y.tolist() for _, y in DataLoader(data, 2, sampler=[4, 0, 2])] == [[5, 3], [4]]
    batches = BatchSampler(SequentialSampler(data), 3, True)
    assert [y.tolist() for _, y in DataLoader(data, batch_sampler=batches)] == [[3, 1, 4]]


def test_a_batch_sampler_that_fills_one_list_anew():
    batch = [0, 0]

    class Same:
        def __len__(self):
            return 3

        def __iter__(self):
            for first in range(0, 6, 2):
                batch[:] = first, first + 1
                yield batch

    assert [y.tolist() for _, y in DataLoader(arrays(), batch_sampler=Same())] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.torch
def test_data_sets_of_pytorch():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.arange(6.0).reshape(3, 2), torch.arange(3))
    (x, y), _ = DataLoader(data, 2)
    assert x.tolist() == [[0, 1], [2, 3]]
    assert isinstance(x, np.ndarray)
    assert y.dtype == np.int64


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_errors_of_a_worker(workers):
    loader = DataLoader(datasets.Fails(20), 2, num_workers=2, workers=workers)
    seen = []
    expected = KeyError if workers == "threads" else RuntimeError
    with pytest.raises(expected, match="sample seven is broken"):
        seen.extend(y.tolist() for _, y in loader)
    assert seen == [[0, 1], [2, 3], [4, 5]]


def test_a_dead_worker_is_named():
    for dataset, code in ((datasets.Dies(20), -9), (datasets.Exits(20), 3)):
        loader = DataLoader(dataset, 2, num_workers=2, workers="processes")
        assert_refuses(lambda loader=loader: list(loader), RuntimeError, f"died with exit code {code}")


def test_a_persistent_worker_that_died_between_epochs_is_named_and_replaced():
    loader = DataLoader(
        datasets.Squares(6),
        2,
        num_workers=1,
        workers="processes",
        persistent_workers=True,
        shuffle=True,
        generator=1,
    )
    first = list(loader)
    worker = loader._crew._processes[0]
    worker.kill()
    worker.join()
    assert_refuses(lambda: list(loader), RuntimeError, "worker 0")
    assert len(list(loader)) == len(first)
    loader.close()


def test_a_batch_that_cannot_be_sent_is_an_error_of_the_worker():
    loader = DataLoader(
        datasets.Squares(4),
        2,
        num_workers=1,
        workers="processes",
        collate_fn=datasets.locks,
        persistent_workers=True,
    )
    assert_refuses(lambda: list(loader), RuntimeError, "error in worker 0")


def test_requests_that_fill_the_pipe_do_not_stop_the_worker():
    count, size = 150_000, 50_000  # indices and batches of some hundred KiB, more than a pipe holds
    loader = DataLoader(datasets.Zeros(count), size, num_workers=1, workers="processes", prefetch_factor=3)
    assert [len(batch) for batch in loader] == [size] * 3


@every_crew
def test_a_transform_keeps_named_tuples(crew):
    batch = next(iter(DataLoader(datasets.Points(4), 4, transform=datasets.noise, **crew)))
    assert type(batch) is datasets.Point
    assert batch.x[:, 0].tolist() == [0, 2, 6, 12]
    assert batch.y.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_timeout(workers):
    loader = DataLoader(datasets.Sleeps(20), 2, num_workers=2, workers=workers, timeout=1.5)
    assert_refuses(lambda: list(loader), RuntimeError, "within timeout=1.5 seconds")


def test_worker_init():
    numbers = []
    loader = DataLoader(arrays(), 2, num_workers=2, worker_init_fn=numbers.append)
    assert len(list(loader)) == 12
    assert set(numbers) <= {0, 1}
    assert numbers
    loader = DataLoader(arrays(), 2, num_workers=1, workers="processes", worker_init_fn=datasets.refuse)
    assert_refuses(lambda: list(loader), RuntimeError, "worker 0 cannot start")
    loader = DataLoader(arrays(), 2, num_workers=1, worker_init_fn=datasets.refuse)
    assert_refuses(lambda: list(loader), OSError, "worker 0 cannot start")


D = arrays()


@bad_calls(
    ("dataset", lambda: DataLoader(iter([])), TypeError, "dataset must have __len__ and __getitem__"),
    ("batch_size", lambda: DataLoader(D, 0), ValueError, "batch_size must be at least 1, got 0"),
    ("no batch_size", lambda: DataLoader(D, None), ValueError, "batch_size must be an int, got None"),
    ("shuffle", lambda: DataLoader(D, shuffle="yes"), ValueError, "shuffle must be one of None, False, True"),
    ("both", lambda: DataLoader(D, shuffle=True, sampler=[0]), ValueError, "sampler excludes shuffle"),
    (
        "batches",
        lambda: DataLoader(D, 2, batch_sampler=[[0]]),
        ValueError,
        "batch_sampler excludes batch_size",
    ),
    (
        "batches kind",
        lambda: DataLoader(D, batch_sampler=iter([])),
        TypeError,
        "must have __iter__ and __len__",
    ),
    ("workers", lambda: DataLoader(D, num_workers=-1), ValueError, "num_workers must be at least 0, got -1"),
    (
        "kind",
        lambda: DataLoader(D, workers="gpu"),
        ValueError,
        "workers must be one of 'threads', 'processes'",
    ),
    (
        "prefetch",
        lambda: DataLoader(D, prefetch_factor=2),
        ValueError,
        "need num_workers of at least 1, got 0",
    ),
    (
        "prefetch 0",
        lambda: DataLoader(D, num_workers=1, prefetch_factor=0),
        ValueError,
        "prefetch_factor must be at",
    ),
    (
        "timeout",
        lambda: DataLoader(D, num_workers=1, timeout=-1),
        ValueError,
        "timeout must be a finite number in [0",
    ),
    (
        "unpicklable",
        lambda: next(
            iter(DataLoader(D, num_workers=1, workers="processes", collate_fn=lambda samples: samples))
        ),
        TypeError,
        "workers='processes' need a data set, collate_fn, worker_init_fn and transform that can be pickled",
    ),
    ("no state", lambda: DataLoader(D).load_state_dict(None), ValueError, "sampler, got NoneType"),
    ("collate", lambda: DataLoader(D, collate_fn=3), TypeError, "collate_fn must be callable, got int"),
    ("generator", lambda: DataLoader(D, generator="x"), TypeError, "generator must be a seed (int)"),
    ("state", lambda: DataLoader(D).load_state_dict({}), ValueError, "the keys epoch, position and sampler"),
    (
        "sampler state",
        lambda: DataLoader(D, shuffle=True).load_state_dict({"epoch": 0, "position": 0, "sampler": None}),
        ValueError,
        "the same kind of sampler",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_a_process_starts_with_ctrl_c_blocked(monkeypatch):
    """So that none can reach it before it ignores the signal; the parent hears it afterwards as before."""
    import multiprocessing.process
    import signal

    masks = []
    start = multiprocessing.process.BaseProcess.start

    def started(process):
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        start(process)
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", started)
    loader = DataLoader(datasets.Squares(4), 2, num_workers=2, workers="processes")
    assert len(list(loader)) == 2
    assert [signal.SIGINT in mask for mask in masks] == [True] * 4
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())

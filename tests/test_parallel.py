"""Threads: every block once, the same bits for any count, errors and nesting."""

import os
import signal
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import _parallel, nn
from tests.support.arrays import assert_refuses, bad_calls


@pytest.fixture(params=[1, 2, 5], ids="threads={}".format)
def threads(request):
    before = gpudl.get_num_threads()
    gpudl.set_num_threads(request.param)
    yield request.param
    gpudl.set_num_threads(before)


@pytest.mark.parametrize("count", [0, 1, 2, 31, 100])
def test_every_block_runs_once(threads, count):
    calls = np.zeros(count, int)

    def block(i):
        calls[i] += 1

    _parallel.run(block, count)
    assert (calls == 1).all()


def test_an_exception_reaches_the_caller_and_leaves_the_pool_usable(threads):
    def block(i):
        if i == 7:
            raise ValueError("block 7")

    with pytest.raises(ValueError, match="block 7"):
        _parallel.run(block, 20)
    test_every_block_runs_once(threads, 20)


def test_an_interrupt_waits_until_no_thread_writes_any_more():
    before = gpudl.get_num_threads()
    gpudl.set_num_threads(2)
    started, ended = [], []
    other_works = threading.Event()

    def block(i):
        started.append(i)
        if threading.current_thread() is threading.main_thread():
            assert other_works.wait(10)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        other_works.set()
        time.sleep(0.05)
        ended.append(i)

    with pytest.raises(KeyboardInterrupt):
        _parallel.run(block, 1000)
    assert (
        len(started) == len(ended) + 1
    )  # the caller's block ended with the interrupt, the other's by itself
    assert 2 <= len(started) < 1000
    test_every_block_runs_once(2, 20)
    gpudl.set_num_threads(before)


def test_no_block_starts_after_an_exception(threads):
    started = []

    def block(i):
        started.append(i)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        _parallel.run(block, 1000)
    assert 1 <= len(started) <= threads


def test_the_arrays_of_a_region_are_free_when_it_returns(threads):
    class Array:
        pass

    held = Array()
    gone = threading.Event()
    weakref.finalize(held, gone.set)
    _parallel.run(lambda i, held=held: time.sleep(0), 20)
    del held
    assert gone.wait(10)


def test_a_region_inside_a_region(threads):
    totals = np.zeros((4, 5), int)

    def inner(i):
        def block(j):
            totals[i, j] += 1

        _parallel.run(block, 5)

    _parallel.run(inner, 4)
    assert (totals == 1).all()


def test_regions_of_several_threads_at_once():
    results = {}

    def work(name):
        out = np.zeros(50)

        def block(i):
            out[i] = name * i

        for _ in range(20):
            _parallel.run(block, 50)
        results[name] = out

    workers = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all((results[name] == name * np.arange(50)).all() for name in range(4))


@pytest.mark.parametrize("largest", [np.inf, 3e38])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.LayerNorm(40), (100_000, 40)),
        (nn.GroupNorm(1, 6), (4, 6, 8, 8)),
        (nn.Conv2d(4, 16, 3, padding=1), (4, 4, 6, 8)),
        (nn.Conv2d(12, 12, 3, groups=12), (4, 12, 9, 8)),
        (nn.Conv2d(33, 6, 3, padding=1), (17, 33, 14, 14)),
        (nn.ConvTranspose2d(16, 4, 3), (4, 16, 6, 6)),
    ],
    ids=str,
)
def test_sums_over_blocks_give_no_floating_point_error_either(layer, shape, largest):
    dy = np.zeros_like(layer(np.ones(shape, np.float32)))
    dy[: len(dy) // 2], dy[len(dy) // 2 :] = largest, -largest if largest == np.inf else largest
    with np.errstate(all="raise"):
        layer.backward(dy)


def test_blas_has_its_threads_back_after_a_region():
    before = [threads() for threads, _ in _parallel._blas]
    inside = []
    _parallel.run(lambda i: inside.extend(threads() for threads, _ in _parallel._blas), 2)
    assert set(inside) <= {1}
    assert [threads() for threads, _ in _parallel._blas] == before


def test_blas_is_single_threaded_in_the_regions_of_every_thread():
    before = [threads() for threads, _ in _parallel._blas]
    for _, set_threads in _parallel._blas:
        set_threads(4)
    inside = []

    def work():
        _parallel.run(lambda i: inside.extend(threads() for threads, _ in _parallel._blas), 2)

    work()
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    after = [threads() for threads, _ in _parallel._blas]
    for (_, set_threads), count in zip(_parallel._blas, before, strict=True):
        set_threads(count)
    assert set(inside) <= {1}
    assert set(after) <= {4}


@given(total=st.integers(0, 1000), length=st.integers(1, 300))
def test_ranges_tile_the_whole(total, length):
    pieces = _parallel.ranges(total, length)
    assert [i for start, stop in pieces for i in range(start, stop)] == list(range(total))
    assert all(stop - start <= length for start, stop in pieces)


@given(total=st.integers(0, 1000), longest=st.integers(1, 300), multiple=st.integers(1, 20))
def test_equal_ranges_tile_the_whole(total, longest, multiple):
    pieces = _parallel.equal_ranges(total, longest, multiple=multiple)
    assert [i for start, stop in pieces for i in range(start, stop)] == list(range(total))
    assert all(start % multiple == 0 and stop - start < longest + multiple for start, stop in pieces)


def test_equal_ranges_are_an_even_number():
    assert _parallel.equal_ranges(10, 10) == [(0, 10)]
    assert _parallel.equal_ranges(10, 10, alone=9) == [(0, 5), (5, 10)]
    assert _parallel.equal_ranges(11, 10) == [(0, 6), (6, 11)]
    assert _parallel.equal_ranges(30, 10, multiple=2) == [(0, 8), (8, 16), (16, 24), (24, 30)]


def test_scratch_is_reused_and_grows():
    small = _parallel.scratch("test", (10, 10), np.float32)
    again = _parallel.scratch("test", (5, 7), np.float64)
    assert np.shares_memory(small, again)
    assert _parallel.scratch("test", (100, 100), np.float32).shape == (100, 100)
    assert not np.shares_memory(_parallel.scratch("other", (5,), np.float32), again)


def test_views_of_scratch_share_its_memory_also_after_it_has_grown():
    _parallel.scratch("growing", (4,), np.float32)
    large = _parallel.scratch("growing", (1000,), np.float32)
    assert np.shares_memory(large, _parallel.scratch("growing", (4,), np.float32))
    assert _parallel.scratch("growing", (1000,), np.float32) is large


def test_scratch_of_many_shapes_keeps_few_views():
    for size in range(2 * _parallel._MOST_VIEWS):
        assert _parallel.scratch("many", (size,), np.uint8).shape == (size,)
    assert len(_parallel._local.scratch._views) <= _parallel._MOST_VIEWS


def test_scratch_belongs_to_its_thread():
    mine = _parallel.scratch("test", (8,), np.float32)
    theirs = []
    worker = threading.Thread(target=lambda: theirs.append(_parallel.scratch("test", (8,), np.float32)))
    worker.start()
    worker.join()
    assert not np.shares_memory(mine, theirs[0])


@bad_calls(
    ("zero", lambda: gpudl.set_num_threads(0), ValueError, "count must be at least 1, got 0"),
    ("float", lambda: gpudl.set_num_threads(2.0), TypeError, "count must be an int, got float"),
    ("bool", lambda: gpudl.set_num_threads(True), TypeError, "count must be an int, got bool"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


@pytest.mark.parametrize("text", ["0", "-1", "two", ""])
def test_bad_environment(monkeypatch, text):
    monkeypatch.setenv("GPUDL_NUM_THREADS", text)
    with pytest.raises(ValueError, match="GPUDL_NUM_THREADS: expected a positive integer"):
        _parallel._threads_from_environment()


def test_environment(monkeypatch):
    monkeypatch.setenv("GPUDL_NUM_THREADS", "3")
    assert _parallel._threads_from_environment() == 3


def test_overflow_is_no_warning_and_the_settings_of_the_caller_stay(threads):
    before, size = np.geterr(), np.getbufsize()
    results = np.ones((8, 2), np.float32)

    def block(i):
        np.multiply(np.float32(1e30), np.full(2, 1e30, np.float32), out=results[i])

    _parallel.run(block, len(results))
    assert np.isinf(results).all()
    assert (np.geterr(), np.getbufsize()) == (before, size)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system cannot keep a thread on a core")
def test_a_region_leaves_the_callers_cores_alone(threads):
    before = os.sched_getaffinity(0)
    _parallel.run(lambda i: None, 20)
    assert os.sched_getaffinity(0) == before
    with pytest.raises(ValueError, match="stop"):
        _parallel.run(_stop, 20)
    assert os.sched_getaffinity(0) == before


def _stop(i):
    raise ValueError("stop")

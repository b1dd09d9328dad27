"""Work split over threads so that the result never depends on how many there are.

Work comes as a fixed list of blocks cut by shape alone. Threads take blocks as they get free; each block
writes its own part of the output, or its own slot of partial sums that are then added in order.
BLAS runs on one thread inside a region; `matmul` is a product cut into such blocks.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

import numpy as np
from threadpoolctl import ThreadpoolController

_region = threading.Lock()
_local = threading.local()


def _cores() -> list[int]:
    """The cores this process may use."""
    return (
        sorted(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else list(range(os.cpu_count() or 1))
    )


def _threads_from_environment() -> int:
    text = os.environ.get("GPUDL_NUM_THREADS")
    if text is None:
        return len(_cores())
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"GPUDL_NUM_THREADS: expected a positive integer, got {text!r}")
    return int(text)


_num_threads = _threads_from_environment()
_blas = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


def get_num_threads() -> int:
    """How many threads an operator on NumPy arrays may use."""
    return _num_threads


def set_num_threads(count: int) -> None:
    """Use `count` threads (>= 1) for operators on NumPy arrays. Results do not depend on it.

    The default is the number of cores this process may use, or GPUDL_NUM_THREADS.
    """
    global _num_threads
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"set_num_threads: count must be an int, got {type(count).__name__}")
    if count < 1:
        raise ValueError(f"set_num_threads: count must be at least 1, got {count}")
    with _region:
        _crew.dismiss()
        _num_threads = count


class _SingleThreadedBlas:
    """BLAS on one thread while anybody is inside: the first in sets it, the last out restores it.

    OpenBLAS cuts a product differently for every thread count, and its edge tiles round differently, so its
    own threads would make bits depend on their number. A switch costs about 1 us per library.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[int] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = [library.get_num_threads() for library in _blas]
                for library in _blas:
                    library.set_num_threads(1)

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for library, count in zip(_blas, self._before, strict=True):
                    library.set_num_threads(count)


_single_threaded_blas = _SingleThreadedBlas()


class _Crew:
    """Worker threads, started at the first region, one to a core where there is one for each.

    The caller's thread waits instead of working: a thread that it wakes starts on the caller's own core and
    is moved off it only milliseconds later, so the two would take turns.
    """

    def __init__(self) -> None:
        self._tasks: list[queue.SimpleQueue[Callable[[], None] | None]] = []

    def run(self, work: Callable[[], None], workers: int) -> None:
        """Call work() on `workers` threads and wait for all; raises the first exception any of them had."""
        while len(self._tasks) < workers:
            self._hire()
        finished: list[BaseException | None] = []
        wake: queue.SimpleQueue[None] = queue.SimpleQueue()

        def task() -> None:
            try:
                work()
            except BaseException as error:  # raised by the caller
                finished.append(error)
            else:
                finished.append(None)
            wake.put(None)

        for tasks in self._tasks[:workers]:
            tasks.put(task)
        interrupt = _wait(wake, lambda: len(finished) == workers)
        for failure in (interrupt, *finished):
            if failure is not None:
                raise failure

    def dismiss(self) -> None:
        """End the threads."""
        for tasks in self._tasks:
            tasks.put(None)
        self._tasks = []

    def _hire(self) -> None:
        index, cores = len(self._tasks), _cores()
        core = cores[index] if len(cores) == _num_threads else None
        tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tasks.append(tasks)
        threading.Thread(target=_serve, args=(tasks, core), name=f"gpudl-{index}", daemon=True).start()


def _wait(wake: queue.SimpleQueue[None], done: Callable[[], bool]) -> KeyboardInterrupt | None:
    """Block until done(), which is asked after every item of `wake`; returns an interrupt that came meanwhile.

    The threads still write to the caller's arrays, so an interrupt has to wait. It may swallow an item, so the
    items are not counted.
    """
    interrupt = None
    while True:
        try:
            while not done():
                wake.get()
            return interrupt
        except KeyboardInterrupt as error:
            interrupt = error


# Elements of the buffers through which a ufunc walks rows that do not follow one another in memory. A row at
# least as long as a buffer is worked on where it lies: sums of rows of 512 to 2048 float32 run twice as fast
# as with NumPy's 8192, and shorter rows as fast as before.
_UFUNC_BUFFER = 512


def _serve(tasks: queue.SimpleQueue[Callable[[], None] | None], core: int | None) -> None:
    np.setbufsize(_UFUNC_BUFFER)  # of this thread alone
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(threading.get_native_id(), {core})
    while (task := tasks.get()) is not None:
        task()
        del task  # holds the caller's arrays


_crew = _Crew()


def _forget_threads_after_fork() -> None:
    """A forked child has the crew's object but not its threads, and may inherit a held lock."""
    global _crew, _region, _single_threaded_blas
    _crew = _Crew()
    _region = threading.Lock()
    _single_threaded_blas = _SingleThreadedBlas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads_after_fork)


def run(block: Callable[[int], None], count: int) -> None:
    """Call block(i) for every i < count, on as many threads as are free.

    `block` must write only what no other block writes. An exception in a block is raised here after all
    threads have stopped. A region inside a region, or beside one in another thread, runs on its own thread.
    """
    if count == 0:
        return
    workers = min(_num_threads, count)
    alone = workers == 1 or not _region.acquire(blocking=False)
    with _single_threaded_blas:
        if alone:
            before = np.setbufsize(_UFUNC_BUFFER)
            try:
                for i in range(count):
                    block(i)
            finally:
                np.setbufsize(before)
            return
        blocks = iter(range(count))  # next() on it is atomic

        def work() -> None:
            for i in blocks:
                block(i)

        try:
            _crew.run(work, workers)
        finally:
            _region.release()


# A product below this many multiply-adds is done before a second thread has started.
_SMALLEST_SHARED_PRODUCT = 1 << 23
_LONGEST_PIECE = 512


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """out = a @ b (+ bias to every row), cut along the longer side of `out` into pieces by shape alone."""
    (rows, inner), columns = a.shape, b.shape[1]
    by_rows = rows >= columns
    length = max(rows, columns)
    pieces = [(0, length)]
    if rows * inner * columns >= _SMALLEST_SHARED_PRODUCT:
        pieces = ranges(length, min(_LONGEST_PIECE, -(-length // 32) * 16))  # whole tiles of 16

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        part = out[piece] if by_rows else out[:, piece]
        np.matmul(a[piece] if by_rows else a, b if by_rows else b[:, piece], out=part)
        if bias is not None:
            np.add(part, bias if by_rows else bias[piece], out=part)

    run(block, len(pieces))
    return out


def scratch(key: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """A buffer of this thread, the same memory at every call with the same key; contents are undefined.

    Grows to the largest shape asked for; two buffers that are in use at the same time need two keys.
    """
    buffers = getattr(_local, "buffers", None)
    if buffers is None:
        buffers = _local.buffers = {}
    dtype = np.dtype(dtype)
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    memory = buffers.get(key)
    if memory is None or memory.size < size:
        memory = buffers[key] = np.empty(size, np.uint8)
    return memory[:size].view(dtype).reshape(shape)


def ranges(total: int, length: int) -> list[tuple[int, int]]:
    """[0, total) cut into pieces of `length`; the last may be shorter."""
    return [(start, min(total, start + length)) for start in range(0, total, length)]

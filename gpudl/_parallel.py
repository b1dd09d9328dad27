"""Work split over threads so that the result never depends on how many there are.

Work comes as a fixed list of blocks cut by shape alone. Threads take blocks as they get free; each block
writes its own part of the output, or its own slot of partial sums that are then added in order.
BLAS runs on one thread inside a region.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import itertools
import math
import os
import queue
import threading
from collections.abc import Callable

import numpy as np
from threadpoolctl import LibController, ThreadpoolController

_region = threading.Lock()
_local = threading.local()
_nothing = contextlib.nullcontext()


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


def _find_current_core() -> Callable[[], int] | None:
    """glibc's function that gives the number of the core the calling thread is on, or None."""
    try:
        return ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError, TypeError):  # not Linux
        return None


_current_core = _find_current_core()
_num_threads = _threads_from_environment()


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


Switch = tuple[Callable[[], int], Callable[[int], object]]


def _blas_switch(library: LibController) -> Switch:
    """Functions that get and set the number of threads of a BLAS.

    OpenBLAS's own, called without giving up the interpreter's lock, take 0.3 of the time of threadpoolctl's. And those
    of 3.8 let only the first Python thread that ever asked set a count.
    """
    if library.internal_api == "openblas" and library.threading_layer == "pthreads":
        symbols = ctypes.PyDLL(library.filepath)
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if all(hasattr(symbols, name) for name in names):
                return getattr(symbols, names[0]), getattr(symbols, names[1])
    return library.get_num_threads, getattr(library, "_real_set_num_threads", library.set_num_threads)


_libraries = [each for each in ThreadpoolController().lib_controllers if each.user_api == "blas"]
_blas = [_blas_switch(each) for each in _libraries]


def blas_architectures() -> set[str]:
    """The processors that the loaded OpenBLAS libraries have chosen their kernels for, as they name them."""
    return {each.architecture for each in _libraries if each.internal_api == "openblas"}


class _SingleThreadedBlas:
    """BLAS on one thread while anybody is inside: the first in sets it, the last out restores it.

    OpenBLAS cuts a product differently for every thread count, and its edge tiles round differently, so its
    own threads would make bits depend on their number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[int] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = [get_threads() for get_threads, _ in _blas]
                for _, set_threads in _blas:
                    set_threads(1)

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for (_, set_threads), count in zip(_blas, self._before, strict=True):
                    set_threads(count)


_single_threaded_blas = _SingleThreadedBlas()


class _Region:
    """The blocks of one call of `run`, taken by the caller and by the helpers that wake in time."""

    def __init__(self, block: Callable[[int], None], count: int):
        self._block: Callable[[int], None] | None = block
        self._count = count
        self._numbers = iter(range(count))  # next() on it is atomic, and so are the appends
        self._joined: list[None] = []
        self._helped: list[None] = []
        self._left: list[BaseException | None] = []
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def help(self) -> None:
        """Take blocks on a thread of the crew. One that wakes when none is left touches nothing of the caller's."""
        self._joined.append(None)
        failure = None
        try:
            for i in self._numbers:
                self._block(i)
                self._helped.append(None)
        except BaseException as error:  # raised by the caller
            failure = error
            self._cancel()
        self._left.append(failure)
        self._wake.put(None)

    def finish(self) -> None:
        """Take blocks on the caller's thread, then wait for those that helpers took.

        Raises the first exception any thread had. An interrupt waits too, as the helpers write to the caller's
        arrays; it may swallow an item of the queue, so the items are not counted.
        """
        failure: BaseException | None = None
        done = 0
        while True:
            try:
                if failure is None:
                    for i in self._numbers:
                        self._block(i)
                        done += 1
                else:
                    self._cancel()
                while len(self._left) < len(self._joined) and (
                    failure is not None or done + len(self._helped) < self._count
                ):
                    self._wake.get()
                break
            except BaseException as error:
                failure = failure or error
        self._block = None  # holds the caller's arrays
        for error in (failure, *self._left):
            if error is not None:
                raise error

    def _cancel(self) -> None:
        for _ in self._numbers:
            continue


def _stay_on_core() -> tuple[int, set[int]] | None:
    """Keep the calling thread on the core it is on: that core and the cores it had, or None where not all are its own.

    Without it the kernel moves a thread that waits for the interpreter lock to the core of the helper that gives
    it the lock, and the two take turns there for milliseconds.
    """
    if _current_core is None:
        return None
    cores = os.sched_getaffinity(0)
    core = _current_core()
    if len(cores) != _num_threads or core not in cores:
        return None
    os.sched_setaffinity(0, (core,))
    return core, cores


class _Crew:
    """Threads that help a caller, one pinned to each core where there is one for each.

    The caller works as well, from the first moment on: a helper wakes 20 to 40 us later, which is longer than many
    an operator. The helper of the caller's own core is left asleep, as the two would take turns there.
    """

    def __init__(self) -> None:
        self._tasks: list[queue.SimpleQueue[Callable[[], None] | None]] = []
        self._cores: list[int | None] = []

    def hire(self, count: int) -> None:
        """Have `count` threads. To be called before the caller is kept on a core, which new threads would inherit."""
        while len(self._tasks) < count:
            self._hire()

    def call(self, help: Callable[[], None], helpers: int, own: int) -> None:
        """Wake `helpers` of the threads (not all) to call help(), but not the one of core `own`."""
        for core, tasks in zip(self._cores, self._tasks, strict=True):
            if helpers and core != own:
                tasks.put(help)
                helpers -= 1

    def dismiss(self) -> None:
        """End the threads."""
        for tasks in self._tasks:
            tasks.put(None)
        self._tasks, self._cores = [], []

    def _hire(self) -> None:
        index, cores = len(self._tasks), _cores()
        core = cores[index] if len(cores) == _num_threads else None
        tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tasks.append(tasks)
        self._cores.append(core)
        threading.Thread(target=_serve, args=(tasks, core), name=f"gpudl-{index}", daemon=True).start()


# Elements of the buffers through which a ufunc walks rows that do not follow one another in memory. A row at
# least as long as a buffer is worked on where it lies: sums of rows of 512 to 2048 float32 run twice as fast
# as with NumPy's 8192, and shorter rows as fast as before.
_UFUNC_BUFFER = 512


def _serve(tasks: queue.SimpleQueue[Callable[[], None] | None], core: int | None) -> None:
    np.setbufsize(_UFUNC_BUFFER)  # of this thread alone, as the next line
    np.seterr(all="ignore")  # inf and NaN go through, as in PyTorch
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(threading.get_native_id(), {core})
    while (task := tasks.get()) is not None:
        task()
        del task


_crew = _Crew()


def _forget_threads_after_fork() -> None:
    """A forked child has the crew's object but not its threads, and may inherit a held lock."""
    global _crew, _region, _single_threaded_blas
    _crew = _Crew()
    _region = threading.Lock()
    _single_threaded_blas = _SingleThreadedBlas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads_after_fork)


_quiet: contextvars.ContextVar[bool] = contextvars.ContextVar("gpudl_quiet", default=False)


def _quiet_context() -> contextvars.Context:
    """That in which this thread does its blocks, with what `_serve` sets: to enter it takes a tenth of np.errstate."""
    context = contextvars.Context()
    context.run(np.setbufsize, _UFUNC_BUFFER)
    context.run(np.seterr, all="ignore")
    context.run(_quiet.set, True)
    return context


def run(block: Callable[[int], None], count: int, *, blas: bool = True) -> None:
    """Call block(i) for every i < count, on as many threads as are free.

    `block` must write only what no other block writes. After an exception in a block no further one starts, and
    it is raised here when all threads have stopped. A region inside a region, or beside one in another thread,
    runs on its own thread. In a block floating-point warnings are off: inf - inf is NaN without one, as in PyTorch.
    blas=False promises that no block calls BLAS, and saves its switch.
    """
    if count == 0:
        return
    with _single_threaded_blas if blas else _nothing:
        quietly(_run, block, count)


def quietly(function: Callable[..., None], *arguments: object) -> None:
    """function(*arguments) as in a block, floating-point warnings off."""
    if _quiet.get():  # a region inside a region; a context cannot be entered twice
        function(*arguments)
        return
    try:
        context = _local.quiet
    except AttributeError:
        context = _local.quiet = _quiet_context()
    context.run(function, *arguments)


def _run(block: Callable[[int], None], count: int) -> None:
    if count == 1 or _num_threads == 1 or not _region.acquire(blocking=False):
        for i in range(count):
            block(i)
        return
    kept = None
    try:
        region = _Region(block, count)
        _crew.hire(_num_threads)
        kept = _stay_on_core()
        _crew.call(region.help, min(_num_threads, count) - 1, kept[0] if kept else -1)
        region.finish()
    finally:
        if kept:
            os.sched_setaffinity(0, kept[1])
        _region.release()


_MOST_VIEWS = 512  # of scratch, kept by a thread


class _Scratch:
    """The buffers of a thread by key, and the views of them that were asked for: to make one anew takes 3 us."""

    def __init__(self) -> None:
        self._memory: dict[str, np.ndarray] = {}
        self._views: dict[tuple[str, tuple[int, ...], np.dtype | type], np.ndarray] = {}

    def view(self, key: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
        view = self._views.get((key, shape, dtype))
        return self._make(key, shape, dtype) if view is None else view

    def _make(self, key: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        memory = self._memory.get(key)
        if memory is None or memory.size < size:
            memory = self._memory[key] = np.empty(size, np.uint8)
            self._views = {of: view for of, view in self._views.items() if of[0] != key}
        if len(self._views) >= _MOST_VIEWS:
            self._views.clear()
        view = self._views[key, shape, dtype] = memory[:size].view(dtype).reshape(shape)
        return view


def scratch(key: str, shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """A buffer of this thread, the same memory at every call with the same key; contents are undefined.

    Grows to the largest shape asked for; two buffers that are in use at the same time need two keys.
    """
    try:
        buffers = _local.scratch
    except AttributeError:
        buffers = _local.scratch = _Scratch()
    return buffers.view(key, shape, dtype)


def ranges(total: int, length: int) -> list[tuple[int, int]]:
    """[0, total) cut into pieces of `length`; the last may be shorter."""
    return [(start, min(total, start + length)) for start in range(0, total, length)]


def equal_ranges(
    total: int, longest: int, *, alone: int | None = None, multiple: int = 1
) -> list[tuple[int, int]]:
    """[0, total) in an even number of equal pieces of at most about `longest`, so that two threads end together.

    One piece up to `alone` (by default `longest`). Pieces start at multiples of `multiple`.
    """
    if total <= (longest if alone is None else alone):
        return [(0, total)] if total else []
    count = 2 * -(-total // (2 * longest))
    length = -(-total // (count * multiple)) * multiple
    return ranges(total, length)

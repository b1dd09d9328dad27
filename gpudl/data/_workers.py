"""Threads and processes that make batches ahead of time; batches come back in the order of their numbers."""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Protocol

from gpudl._parallel import set_num_threads

_SECONDS_TO_END = 5.0


class Crew(Protocol):
    """Workers that live until `close()`."""

    def run(self, batches: list[list[int]], epoch: int, ahead: int, timeout: float) -> Iterator[Any]:
        """The batches in order, up to `ahead` of them in the making."""

    def close(self) -> None: ...


class ThreadCrew:
    """Threads of one pool."""

    def __init__(self, count: int, fetch: Callable[..., Any], init: Callable[[int], Any] | None):
        self._numbers = iter(range(count))
        self._fetch = fetch
        self._init = init
        self._failure: Exception | None = None
        self._pool = ThreadPoolExecutor(count, "gpudl-data", self._start)

    def _start(self) -> None:
        """Run by each thread before its first batch; an error is kept for those who ask for batches."""
        try:
            if self._init is not None:
                self._init(next(self._numbers))
        except Exception as error:
            self._failure = error

    def _make(self, indices: list[int], epoch: int) -> Any:
        if self._failure is not None:
            raise self._failure
        return self._fetch(indices, epoch)

    def run(self, batches: list[list[int]], epoch: int, ahead: int, timeout: float) -> Iterator[Any]:
        waiting: collections.deque[Future[Any]] = collections.deque()
        remaining = iter(batches)
        try:
            for indices in remaining:
                waiting.append(self._pool.submit(self._make, indices, epoch))
                if len(waiting) >= ahead:
                    yield _result(waiting.popleft(), timeout)
            while waiting:
                yield _result(waiting.popleft(), timeout)
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[Any], timeout: float) -> Any:
    try:
        return future.result(timeout or None)
    except FutureTimeoutError:
        if future.done():  # the data set's own error of that type
            raise
        raise RuntimeError(f"DataLoader: no batch within timeout={timeout} seconds") from None


class ProcessCrew:
    """Fresh processes with a pipe each; batch k goes to worker k modulo their number."""

    def __init__(self, count: int, fetch: Callable[..., Any], init: Callable[[int], Any] | None):
        context = multiprocessing.get_context("spawn")
        multiprocessing.resource_tracker.ensure_running()  # which would unblock SIGINT when it starts
        self._pipes = []
        self._processes = []
        try:
            for number in range(count):
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(there, number, fetch, init), daemon=True)
                self._pipes.append(here)
                with _sigint_blocked():
                    process.start()
                there.close()
                self._processes.append(process)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            self.close()
            raise TypeError(
                "DataLoader: workers='processes' need a data set, collate_fn, worker_init_fn and transform that can "
                f"be pickled (of a module's top level): {error}"
            ) from error
        except BaseException:
            self.close()
            raise

    def run(self, batches: list[list[int]], epoch: int, ahead: int, timeout: float) -> Iterator[Any]:
        asked = received = 0
        try:
            while received < len(batches):
                while asked < min(len(batches), received + ahead):
                    self._ask(asked % len(self._pipes), (batches[asked], epoch))
                    asked += 1
                batch = self._receive(received % len(self._pipes), timeout)
                received += 1
                yield batch
        finally:
            if received < asked:
                self.close()  # answers that nobody awaits would be taken for those of the next epoch

    def _ask(self, number: int, message: Any) -> None:
        if not _sent(self._pipes[number], message):
            raise self._death(number)

    def _receive(self, number: int, timeout: float) -> Any:
        pipe, process = self._pipes[number], self._processes[number]
        ready = multiprocessing.connection.wait([pipe, process.sentinel], timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader: worker {number} gave no batch within timeout={timeout} seconds")
        try:
            if pipe not in ready and not pipe.poll():
                raise EOFError  # only the sentinel is ready
            error, batch = pipe.recv()
        except (EOFError, OSError):
            raise self._death(number) from None
        if error is not None:
            raise RuntimeError(f"DataLoader: error in worker {number}:\n{error}")
        return batch

    def _death(self, number: int) -> RuntimeError:
        process = self._processes[number]
        process.join(_SECONDS_TO_END)
        return RuntimeError(
            f"DataLoader: worker {number} (process {process.pid}) died with exit code {process.exitcode}"
        )

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(_SECONDS_TO_END)
            if process.is_alive():
                process.kill()
                process.join()
        self._pipes, self._processes = [], []


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """A process that is started inside has SIGINT blocked: Ctrl-C does not end it before it can ignore the signal."""
    before = _mask_sigint("SIG_BLOCK")
    try:
        yield
    finally:
        if signal.SIGINT not in before:
            _mask_sigint("SIG_UNBLOCK")


def _mask_sigint(how: str) -> set[int]:
    """The signals that were blocked before; does nothing where the system has no masks."""
    if not hasattr(signal, "pthread_sigmask"):
        return set()
    return signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})


def _serve(pipe: Any, number: int, fetch: Callable[..., Any], init: Callable[[int], Any] | None) -> None:
    """A worker's life: batches until the pipe is closed at the other end.

    A thread of its own takes the requests: while a batch is being sent nobody else would, and where requests fill
    the pipe as well, both ends would wait for ever.
    Ctrl-C reaches the whole process group; it is the parent who decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _mask_sigint("SIG_UNBLOCK")
    set_num_threads(1)
    requests: queue.SimpleQueue[tuple[list[int], int] | None] = queue.SimpleQueue()
    threading.Thread(target=_take_requests, args=(pipe, requests), daemon=True).start()
    try:
        if init is not None:
            init(number)
        failure = None
    except Exception:
        failure = traceback.format_exc()
    try:
        while (request := requests.get()) is not None:
            _send(pipe, (failure, None) if failure else _attempt(fetch, *request))
    except OSError:
        return


def _sent(pipe: Any, message: Any) -> bool:
    """False where nobody listens any more.

    The error must not live on as the context of another: its traceback holds the pickled message, and Python 3.13
    complains aloud when the collector finds that.
    """
    try:
        pipe.send(message)
    except OSError:
        return False
    return True


def _take_requests(pipe: Any, requests: queue.SimpleQueue[Any]) -> None:
    """Requests from the pipe to the queue; None when there are no more."""
    try:
        while True:
            requests.put(pipe.recv())
    except (EOFError, OSError):
        requests.put(None)


def _send(pipe: Any, answer: tuple[str | None, Any]) -> None:
    """The answer, or the reason why it cannot be pickled; nothing has been sent then."""
    try:
        pipe.send(answer)
    except OSError:
        raise
    except Exception:
        pipe.send((traceback.format_exc(), None))


def _attempt(fetch: Callable[..., Any], indices: list[int], epoch: int) -> tuple[str | None, Any]:
    try:
        return None, fetch(indices, epoch)
    except Exception:
        return traceback.format_exc(), None


CREWS: dict[str, Callable[..., Crew]] = {"threads": ThreadCrew, "processes": ProcessCrew}

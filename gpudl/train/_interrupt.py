"""Ctrl-C and SIGTERM, noted and obeyed where the state of a run is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A run was interrupted between two steps, after its checkpoint was saved.

    signum : of SIGINT or SIGTERM. step : steps of the optimizer done.
    """

    def __init__(self, signum: int, step: int):
        super().__init__(f"{signal.Signals(signum).name} at step {step}")
        self.signum = signum
        self.step = step


class InterruptGuard:
    """Inside the block the first signal is only noted; the second raises KeyboardInterrupt at once.

    A signal that is ignored, as for a job in the background, stays so. Outside the main thread, where Python has no
    signals, it does nothing.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signum: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            heard = [
                signum for signum in self.SIGNALS if signal.getsignal(signum) not in (signal.SIG_IGN, None)
            ]
            self._before = {signum: signal.signal(signum, self._note) for signum in heard}
        return self

    def __exit__(self, *exception: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:
            raise KeyboardInterrupt
        self.signum = signum

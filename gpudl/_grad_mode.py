"""Whether layers keep what their backward needs: a switch of each thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_state = threading.local()


def is_grad_enabled() -> bool:
    """True unless this thread is inside `no_grad()`."""
    return getattr(_state, "enabled", True)


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Inside, layers keep nothing for backward: `with gpudl.no_grad(): y = model(x)`."""
    before = is_grad_enabled()
    _state.enabled = False
    try:
        yield
    finally:
        _state.enabled = before

"""One process at a time: claims on open files and folders, which end with the process."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


POSSIBLE = fcntl is not None


def claim(descriptor: int) -> bool:
    """False where another holds it. True, and nothing is held, where claims are not POSSIBLE."""
    if not POSSIBLE:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

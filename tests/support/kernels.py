"""The kernels on the CPU: built when the first test asks for them."""

import functools
import importlib.util

import pytest

from gpudl import simt


def require_simt(variant="fast"):
    """Build a variant of gpudl's kernels, once a session; skip the test where that cannot be done here."""
    reason = _built(variant)
    if reason is not None:
        pytest.skip(f"simt: {reason}")


@functools.cache
def _built(variant):
    if (reason := simt.unavailable_because()) is not None:
        return reason
    if importlib.util.find_spec("pybind11") is None:
        return "pybind11 is not installed"
    simt.build_own(variant)  # what the compiler refuses is a failure, not a reason to skip
    return None


def checked(order="forward", seed=0, *, eager_copies=False):
    """`gpudl.simt.checked`, or a skip where it cannot be built here."""
    require_simt("check")
    return simt.checked(order, seed, eager_copies=eager_copies)

"""Fixtures that every test file shares."""

import os
import signal
import sys

import pytest
from hypothesis import settings

from gpudl import _backend
from tests.support.arrays import EXECUTORS, Executor
from tests.support.kernels import require_simt

# A shell starts what runs in its background with SIGINT ignored; tests and the processes that they start need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: the machines that run tests are shared. Derandomised: a failure must be the change's.
settings.register_profile("gpudl", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("gpudl")


def pytest_collection_modifyitems(items):
    """The test that takes minutes comes first: of several processes, none is left alone with it at the end."""
    items.sort(key=lambda item: "test_simt_sanitizers" not in item.nodeid)


def pytest_runtest_teardown(item):
    """A kernel's fault takes the GPU from the process. Of several processes this one ends then, and pytest-xdist begins
    another for the tests that are left, which would all fail here."""
    on_gpu = item.get_closest_marker("cuda") is not None and _backend.unavailable_because("cuda") is None
    if on_gpu and "PYTEST_XDIST_WORKER" in os.environ and _gpu_is_lost():
        os._exit(1)


def _gpu_is_lost():
    try:
        sys.modules["cupy"].cuda.runtime.deviceSynchronize()
    except Exception:
        return True
    return False


@pytest.fixture(params=EXECUTORS)
def executor(request):
    """Each executor that works here; the others are skipped with their reason."""
    if request.param == "simt":
        require_simt()
    chosen = Executor(request.param)
    with chosen.active():
        yield chosen

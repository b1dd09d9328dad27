"""Fixtures that every test file shares."""

import pytest
from hypothesis import settings

from tests.support.arrays import EXECUTORS, Executor

# No deadline: the machines that run tests are shared. Derandomised: a failure must be the change's.
settings.register_profile("gpudl", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("gpudl")


@pytest.fixture(params=EXECUTORS)
def executor(request):
    """Each executor that works here; the others are skipped with their reason."""
    chosen = Executor(request.param)
    with chosen.active():
        yield chosen

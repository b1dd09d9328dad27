"""Every kernel under several schedules in the checked build: no finding, the same bits, and no more traffic than needed."""

from pathlib import Path

import numpy as np
import pytest

import gpudl
from gpudl import _backend, _numpy, ops
from tests.support.kernel_calls import CALLS, COSTS, WITHOUT_COST
from tests.support.kernel_calls.base import bits_of
from tests.support.kernels import checked
from tests.support.tolerances import DTYPES

SCHEDULES = [("forward", 0, False), ("reverse", 0, True), ("random", 5, False)]
OPERATORS = sorted(_numpy.__all__)


def calls_of(calls, dtype):
    found = list(calls(dtype))
    if not found:
        pytest.skip("its calls do not depend on the dtype")
    return found


def test_every_kernel_has_calls_and_a_cost():
    assert set(CALLS) == set(OPERATORS)
    assert set(COSTS) | set(WITHOUT_COST) == set(OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_finding_and_the_same_bits_under_every_schedule(operator, dtype):
    results = set()
    for order, seed, eager in SCHEDULES:
        with checked(order, seed, eager_copies=eager) as executor:
            run = getattr(_backend.executor(np.empty(0)), operator)
            bits = []
            for arrays, numbers in calls_of(CALLS[operator], dtype):
                run(*arrays, **numbers)
                bits += bits_of(arrays)
            assert [str(finding) for finding in executor.findings()] == []
            results.add(b"".join(bits))
    assert len(results) == 1, "the schedule changed the result"


@pytest.mark.parametrize("operator", sorted(COSTS))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_memory_bound_kernels_move_what_they_must(operator, dtype):
    """Each element once in and once out, at most 1.05 times its bytes, and each sector in as few requests as said."""
    cost = COSTS[operator]
    arrays, numbers = max(calls_of(cost.calls, dtype), key=lambda call: len(b"".join(bits_of(call[0]))))
    with checked() as executor:
        getattr(_backend.executor(np.empty(0)), operator)(*arrays, **numbers)
        buffers = executor.profile().buffers
    assert buffers
    for buffer in buffers:
        limit = 1.05 * buffer.bytes + 64  # a sector at either end may belong in part to others
        assert buffer.distinct_read <= limit, buffer
        assert buffer.distinct_written <= limit, buffer
        if buffer.name in cost.tables:
            continue
        assert buffer.read <= cost.requests(dtype) * limit, buffer
        assert buffer.written <= cost.requests(dtype) * limit, buffer


def test_a_failed_launch_says_what_and_where():
    x = np.ones((2, 3), np.float32)
    with checked() as executor:
        executor.set_shared_memory_limit(64)
        try:
            with pytest.raises(gpudl.CudaError) as caught:
                ops.softmax_forward(x, 1)
        finally:
            executor.set_shared_memory_limit()
        assert np.allclose(ops.softmax_forward(x, 1), 1 / 3), "a failure must not be reported twice"
    error = caught.value
    assert (error.expression, Path(error.file).name) == ("launch of softmax_forward", "softmax.cu")
    source = Path(error.file).read_text().splitlines()
    assert source[error.line - 1].strip() == 'CHECK_LAUNCH("softmax_forward");'
    assert "the limit of a block is 64 bytes" in error.text

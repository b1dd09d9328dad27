"""Every kernel under several schedules in the checked build: no finding, the same bits, and no more traffic than needed."""

import numpy as np
import pytest

from gpudl import _backend, _numpy
from tests.support.arrays import random_array
from tests.support.kernels import WITHOUT_KERNEL, checked
from tests.support.tolerances import DTYPES

SCHEDULES = [("forward", 0, False), ("reverse", 0, True), ("random", 5, False)]
OPERATORS = sorted(set(_numpy.__all__) - WITHOUT_KERNEL)
PLACE = {"seed": 2**63 + 3, "stream": 5}


def aligned(array, offset=0):
    """A copy at a multiple of 64 bytes, or `offset` elements after one: vectors of 16 bytes fit, or do not."""
    memory = np.zeros(array.nbytes + 64 + offset * array.itemsize, np.uint8)
    start = -memory.ctypes.data % 64 + offset * array.itemsize
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def flat(n, dtype, seed=0, offset=0):
    return aligned(random_array((n,), dtype, seed=seed), offset)


# Lengths: none, one, less than a vector, tails, more than one block of the grid; one set off the 16-byte grid.
LENGTHS = [(0, 0), (1, 0), (3, 0), (33, 0), (4099, 0), (1030, 1)]


def elementwise_calls(inputs, **numbers):
    def calls(dtype):
        for n, offset in LENGTHS:
            arrays = [flat(n, dtype, seed, offset) for seed in range(inputs)]
            yield [*arrays, flat(n, dtype, 9, offset)], numbers

    return calls


def words(dtype, **numbers):
    def calls(_):
        for n, start in [(0, 0), (1, 0), (5, 3), (2050, 1), (2048, 2**40)]:
            yield [aligned(np.zeros(n, dtype))], PLACE | {"start": start}

    return calls


def both(*makers):
    def calls(dtype):
        for maker in makers:
            yield from maker(dtype)

    return calls


def rows_of_words(_):
    for samples, count in [(0, 3), (3, 0), (5, 1), (70, 6), (33, 32)]:
        rows = aligned(np.arange(samples, dtype=np.uint64) * 7)
        yield [rows, aligned(np.zeros((samples, count), np.uint32))], PLACE


def channels(dtype):
    for shape in [(0, 3, 2), (2, 1, 1), (3, 5, 7), (2, 130, 8)]:
        x = aligned(random_array(shape, dtype))
        yield [x, aligned(np.zeros_like(x))], PLACE | {"p": 0.4}


def optimizer_calls(states, rows, lengths=(1, 0, 7, 4099, 33), start=2):
    """Segments short and long, one of them empty, with gaps, off the 16-byte grid."""

    def calls(dtype):
        offsets = np.cumsum([start] + [length + 3 for length in lengths[:-1]])
        size = int(offsets[-1] + lengths[-1] + 2)
        for step in (1, 4):
            segments = np.stack([offsets, lengths, np.full(len(rows), step)], 1).astype(np.int64)
            state = [aligned(np.abs(random_array((size,), dtype, seed=i))) for i in range(1 + states)]
            yield [flat(size, dtype, 8), segments, np.array(rows, float), *state], {}

    return calls


SGD = [
    (0.1, 0, 0, 0, 0, 0), (0.1, 0.9, 0, 0, 0, 0), (0.1, 0.8, 0.3, 0.01, 0, 1), (0.1, 0.7, 0, 0.05, 1, 0),
    (0.1, 0, 0, 0.1, 0, 1),
]  # fmt: skip
ADAM = [
    (1e-3, 0.9, 0.999, 1e-8, 0, 0, 0, 0), (1e-2, 0.8, 0.99, 1e-6, 0.1, 1, 1, 0), (1e-2, 0.9, 0.95, 1e-3, 0, 1, 0, 0),
    (1e-2, 0.3, 0.5, 1e-8, 0.05, 0, 0, 1), (1e-2, 0.9, 0.999, 1e-8, 0.05, 0, 1, 1),
]  # fmt: skip
RMSPROP = [
    (1e-2, 0.9, 1e-3, 0, 0, 0, 0, 0), (1e-2, 0.9, 1e-3, 0.1, 0, 0, 1, 0), (1e-2, 0.9, 1e-2, 0.1, 0.5, 1, 0, 1),
    (1e-2, 0.9, 1e-4, 0, 0.8, 0, 0, 0), (1e-2, 0.4, 1e-2, 0, 0, 1, 0, 1),
]  # fmt: skip

PLAIN = ("relu", "relu6", "silu", "hardswish", "sigmoid", "tanh")
CALLS = {
    "add_forward": elementwise_calls(2),
    "leaky_relu_forward": elementwise_calls(1, negative_slope=0.3),
    "leaky_relu_backward": elementwise_calls(2, negative_slope=0.3),
    "elu_forward": elementwise_calls(1, alpha=0.4),
    "elu_backward": elementwise_calls(2, alpha=0.4),
    "gelu_forward": both(elementwise_calls(1, tanh=0), elementwise_calls(1, tanh=1)),
    "gelu_backward": both(elementwise_calls(2, tanh=0), elementwise_calls(2, tanh=1)),
    "softplus_forward": elementwise_calls(1, beta=2.5, threshold=1.0),
    "softplus_backward": elementwise_calls(2, beta=2.5, threshold=1.0),
    "philox_uint32": words(np.uint32),
    "philox_uniform": both(words(np.float32), words(np.float64)),
    "philox_normal": both(words(np.float32), words(np.float64)),
    "philox_uint32_rows": rows_of_words,
    "dropout": both(elementwise_calls(1, p=0.4, **PLACE), elementwise_calls(1, p=1.0, **PLACE)),
    "dropout2d": channels,
    "gaussian_noise": elementwise_calls(1, std=0.5, **PLACE),
    "sgd_step": optimizer_calls(1, SGD),
    "adam_step": optimizer_calls(3, ADAM),
    "rmsprop_step": optimizer_calls(3, RMSPROP),
}
for stem in PLAIN:
    CALLS[f"{stem}_forward"] = elementwise_calls(1)
    CALLS[f"{stem}_backward"] = elementwise_calls(2)


def test_every_kernel_has_calls():
    assert set(CALLS) == set(OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_finding_and_the_same_bits_under_every_schedule(operator, dtype):
    if operator.startswith("philox") and dtype != np.float32:
        pytest.skip("its calls do not depend on the dtype")
    results = set()
    for order, seed, eager in SCHEDULES:
        with checked(order, seed, eager_copies=eager) as executor:
            run = getattr(_backend.executor(np.empty(0)), operator)
            bits = []
            for arrays, numbers in CALLS[operator](dtype):
                run(*arrays, **numbers)
                bits += [array.tobytes() for array in arrays]
            assert [str(finding) for finding in executor.findings()] == []
            results.add(b"".join(bits))
    assert len(results) == 1, "the schedule changed the result"


# One long segment, because the ends of short ones go element by element; aligned, as those of a flat store are.
COSTS = CALLS | {
    "sgd_step": optimizer_calls(1, SGD[1:2], [40_960], start=0),
    "adam_step": optimizer_calls(3, ADAM[1:2], [40_960], start=0),
    "rmsprop_step": optimizer_calls(3, RMSPROP[2:3], [40_960], start=0),
}


@pytest.mark.parametrize("operator", [name for name in OPERATORS if not name.startswith("philox")])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_memory_bound_kernels_move_what_they_must(operator, dtype):
    """Each element once in and once out, at most 1.05 times its bytes, and each sector in one request."""
    arrays, numbers = max(COSTS[operator](dtype), key=lambda call: call[0][0].nbytes)
    with checked() as executor:
        getattr(_backend.executor(np.empty(0)), operator)(*arrays, **numbers)
        buffers = [buffer for buffer in executor.profile().buffers if buffer.name != "table"]
    assert buffers
    # float64 takes two vectors of 16 bytes a thread here: each request asks for half of its sectors, the rest is in L1.
    requests = 2 if dtype == np.float64 and operator in ("dropout", "gaussian_noise") else 1
    for buffer in buffers:
        limit = 1.05 * buffer.bytes + 64  # a sector at either end may belong in part to others
        assert buffer.distinct_read <= limit, buffer
        assert buffer.distinct_written <= limit, buffer
        assert buffer.read <= requests * limit, buffer
        assert buffer.written <= requests * limit, buffer

"""Calls of the optimizer steps."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned, both, flat


def optimizer_calls(states, rows, lengths=(1, 0, 7, 4099, 33), start=2):
    """Segments short and long, one of them empty, one left alone, with gaps, off the 16-byte grid; a row for each."""

    def calls(dtype):
        offsets = np.cumsum([start] + [length + 3 for length in lengths[:-1]])
        size = int(offsets[-1] + lengths[-1] + 2)
        for steps in (0, 3):
            segments = np.stack([offsets, lengths, np.arange(len(rows))], 1).astype(np.int64)
            segments[2:3, 2] -= 3 * bool(steps)  # to -1
            state = [aligned(np.abs(random_array((size,), dtype, seed=i))) for i in range(1 + states)]
            counts = np.full(len(rows), steps, np.int64)
            yield (
                [
                    flat(size, dtype, 8),
                    *(aligned(table) for table in (segments, np.array(rows, float), counts)),
                    *state,
                ],
                {},
            )

    return calls


def many_segments(states, rows):
    """More than the threads of the block that prepares them, of two groups; none at all."""

    def calls(dtype):
        for count in (0, 300):
            offsets = np.arange(count) * 9
            segments = np.stack([offsets, np.arange(count) % 8, np.arange(count) % 2], 1).astype(np.int64)
            arrays = [flat(9 * count, dtype, i) for i in range(1 + states)]
            state = [aligned(np.abs(array)) for array in arrays]
            tables = (segments, np.array(rows[:2], float), np.arange(count))
            yield [flat(9 * count, dtype, 8), *(aligned(table) for table in tables), *state], {}

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

CALLS = {
    "sgd_step": both(optimizer_calls(1, SGD), many_segments(1, SGD)),
    "adam_step": both(optimizer_calls(3, ADAM), many_segments(3, ADAM)),
    "rmsprop_step": both(optimizer_calls(3, RMSPROP), many_segments(3, RMSPROP)),
}

# What every block reads of its segment, which stays in cache.
TABLES = frozenset(["scratch", "segments", "hyperparameters", "steps"])

# One long segment, because the ends of short ones go element by element; aligned, as those of a flat store are.
COSTS = {
    "sgd_step": Cost(optimizer_calls(1, SGD[1:2], [40_960], start=0), tables=TABLES),
    "adam_step": Cost(optimizer_calls(3, ADAM[1:2], [40_960], start=0), tables=TABLES),
    "rmsprop_step": Cost(optimizer_calls(3, RMSPROP[2:3], [40_960], start=0), tables=TABLES),
}

"""Calls of the optimizer steps."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned, both, flat


def step_arrays(dtype, size, states, segments, rows, counts, offset=0):
    """grad, the tables, param and states; `offset` elements off the 16-byte grid."""
    tables = (np.array(segments, np.int64), np.array(rows, float), np.array(counts, np.int64))
    state = [aligned(np.abs(random_array((size,), dtype, seed=i)), offset) for i in range(1 + states)]
    ticket = np.zeros(1, np.uint32)
    return [flat(size, dtype, 8, offset), *map(aligned, tables), aligned(ticket), *state]


def optimizer_calls(states, rows, lengths=(1, 0, 7, 4099, 33), start=2):
    """Segments short and long, one of them empty, one left alone, with gaps, off the 16-byte grid; a row for each."""

    def calls(dtype):
        offsets = np.cumsum([start] + [length + 3 for length in lengths[:-1]])
        size = int(offsets[-1] + lengths[-1] + 2)
        for steps, offset in ((0, 0), (3, 0), (3, 1)):
            segments = np.stack([offsets, lengths, np.arange(len(rows))], 1)
            segments[2:3, 2] -= 3 * bool(steps)  # to -1
            yield step_arrays(dtype, size, states, segments, rows, [steps] * len(rows), offset), {}

    return calls


def many_segments(states, rows):
    """Of two groups: none; as many as a block looks at together; more; side by side, more than a chunk has threads."""

    def calls(dtype):
        for count, stride in ((0, 9), (32, 9), (300, 9), (1100, 1)):
            places = np.arange(count)
            segments = np.stack([places * stride, np.minimum(places % 8, stride), places % 2], 1)
            yield step_arrays(dtype, stride * count, states, segments, rows[:2], places), {}

    return calls


def without_optional_state(states, optional, row):
    """Long segments, which need none of the last `optional` states, side by side in the middle of a group."""

    def calls(dtype):
        segments = [[0, 2051, 0], [2051, 1037, 0]]
        arrays = step_arrays(dtype, 3088, states, segments, [row], [1, 2])
        yield [*arrays[: len(arrays) - optional], *[None] * optional], {}

    return calls


def empty_arrays(states, row):
    """Nothing to update; the steps of empty segments count."""
    return lambda dtype: [(step_arrays(dtype, 0, states, [[0, 0, 0], [0, 0, -1]], [row], [4, 5]), {})]


def calls_of(states, optional, plain, rows):
    """plain : a row that needs no optional state."""
    return both(
        optimizer_calls(states, rows), many_segments(states, rows),
        without_optional_state(states, optional, plain), empty_arrays(states, rows[1]),
    )  # fmt: skip


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
    "sgd_step": calls_of(1, 1, SGD[0], SGD),
    "adam_step": calls_of(3, 1, ADAM[0], ADAM),
    "rmsprop_step": calls_of(3, 2, RMSPROP[0], RMSPROP),
}

# What every block reads of its segments, which stays in cache, and where it is counted.
TABLES = frozenset(["segments", "hyperparameters", "steps", "ticket"])

# One long segment, because the ends of short ones go element by element; aligned, as those of a flat store are.
COSTS = {
    "sgd_step": Cost(optimizer_calls(1, SGD[1:2], [40_960], start=0), tables=TABLES),
    "adam_step": Cost(optimizer_calls(3, ADAM[1:2], [40_960], start=0), tables=TABLES),
    "rmsprop_step": Cost(optimizer_calls(3, RMSPROP[2:3], [40_960], start=0), tables=TABLES),
}

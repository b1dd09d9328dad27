"""Calls of the optimizer steps."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned, flat


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

CALLS = {
    "sgd_step": optimizer_calls(1, SGD),
    "adam_step": optimizer_calls(3, ADAM),
    "rmsprop_step": optimizer_calls(3, RMSPROP),
}

# One long segment, because the ends of short ones go element by element; aligned, as those of a flat store are.
COSTS = {
    "sgd_step": Cost(optimizer_calls(1, SGD[1:2], [40_960], start=0)),
    "adam_step": Cost(optimizer_calls(3, ADAM[1:2], [40_960], start=0)),
    "rmsprop_step": Cost(optimizer_calls(3, RMSPROP[2:3], [40_960], start=0)),
}

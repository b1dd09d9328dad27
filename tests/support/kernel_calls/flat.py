"""Calls of the passes over flat memory."""

import numpy as np

from tests.support.kernel_calls.base import LENGTHS, Cost, aligned, both, flat

BLOCK = 65_536


def partials(**numbers):
    """Also the lengths of one block of the sum and one more, as one more partial result comes with it."""

    def calls(dtype):
        for n, offset in [*LENGTHS, (BLOCK, 0), (BLOCK + 1, 1)]:
            yield [flat(n, dtype, offset=offset), aligned(np.zeros(-(-n // BLOCK)))], numbers

    return calls


def in_place(**numbers):
    def calls(dtype):
        for n, offset in LENGTHS:
            yield [flat(n, dtype, offset=offset)], numbers

    return calls


def averages(decay):
    def calls(dtype):
        for n, offset in LENGTHS:
            wide = np.float64 if dtype == np.float64 else np.float32
            yield [flat(n, dtype, offset=offset), flat(n, wide, 1, offset)], {"decay": decay}

    return calls


CALLS = {
    "flat_norm_partials": both(*(partials(norm_type=p) for p in (2.0, 1.0, 3.5, 0.0, np.inf, -np.inf))),
    "flat_nonfinite_partials": partials(),
    "flat_scale": in_place(factor=0.3),
    "flat_clamp": in_place(limit=0.4),
    "flat_average": both(averages(0.25), averages(0.999)),
}


def two_vectors_of_the_average(dtype):
    """Half precision has two vectors of float32 a thread: each request asks for half of its sectors."""
    return 2 if dtype.itemsize == 2 else 1


def long(numbers):
    """Aligned, as the flat arrays of a store are."""

    def calls(dtype):
        yield [flat(3 * BLOCK // 2, dtype), aligned(np.zeros(2))], numbers

    return calls


COSTS = {operator: Cost(calls) for operator, calls in CALLS.items()}
COSTS["flat_norm_partials"] = Cost(long({"norm_type": 2.0}))
COSTS["flat_nonfinite_partials"] = Cost(long({}))
COSTS["flat_average"] = Cost(CALLS["flat_average"], two_vectors_of_the_average)

"""Calls of the passes over flat memory."""

import numpy as np

from tests.support.kernel_calls.base import LENGTHS, Cost, aligned, both, flat

BLOCK = 65_536
NORM_TYPES = (2.0, 1.0, 3.5, 0.0, np.inf, -np.inf)


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


def scaled(factor):
    def calls(dtype):
        for n, offset in LENGTHS:
            yield [flat(n, dtype, offset=offset), aligned(np.array([factor]))], {}

    return calls


def merged(norm_type):
    """None, some and more partial results than the block has threads."""

    def calls(dtype):
        for n in (0, 1, 33, 700):
            yield [np.abs(flat(n, np.dtype(np.float64))), aligned(np.zeros(1))], {"norm_type": norm_type}

    return calls


def clip_factors(dtype):
    for norm in (0.0, 0.5, 4.0, np.inf, np.nan):
        for max_norm in (0.0, 1.0, np.inf):
            yield [aligned(np.array([norm])), aligned(np.zeros(1))], {"max_norm": max_norm}


def averages(decay):
    def calls(dtype):
        for n, offset in LENGTHS:
            wide = np.float64 if dtype == np.float64 else np.float32
            yield [flat(n, dtype, offset=offset), flat(n, wide, 1, offset)], {"decay": decay}

    return calls


CALLS = {
    "flat_norm_partials": both(*(partials(norm_type=p) for p in NORM_TYPES)),
    "flat_norm": both(*map(merged, NORM_TYPES)),
    "flat_clip_factor": clip_factors,
    "flat_nonfinite_partials": partials(),
    "flat_scale": both(scaled(0.3), scaled(1.0)),
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


COSTS = {"flat_clamp": Cost(CALLS["flat_clamp"])}
COSTS["flat_scale"] = Cost(scaled(0.3), tables=("factor",))
COSTS["flat_norm_partials"] = Cost(long({"norm_type": 2.0}))
COSTS["flat_nonfinite_partials"] = Cost(long({}))
COSTS["flat_average"] = Cost(CALLS["flat_average"], two_vectors_of_the_average)
WITHOUT_COST = dict.fromkeys(("flat_norm", "flat_clip_factor"), "one block, of few numbers")

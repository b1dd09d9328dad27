"""Calls of the random numbers, dropout and noise."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned, both, elementwise_calls

PLACE = {"seed": 2**63 + 3, "stream": 5}


def words(dtype, **numbers):
    def calls(call_dtype):
        if call_dtype != np.float32:  # its words do not depend on it
            return
        for n, start in [(0, 0), (1, 0), (5, 3), (2050, 1), (2051, 4), (2048, 2**40)]:
            yield [aligned(np.zeros(n, dtype))], PLACE | {"start": start}

    return calls


def rows_of_words(call_dtype):
    if call_dtype != np.float32:
        return
    for samples, count in [(0, 3), (3, 0), (5, 1), (70, 6), (33, 32)]:
        rows = aligned(np.arange(samples, dtype=np.uint64) * 7)
        yield [rows, aligned(np.zeros((samples, count), np.uint32))], PLACE


def channels(dtype):
    for shape in [(0, 3, 2), (2, 1, 1), (3, 5, 7), (2, 130, 8)]:
        x = aligned(random_array(shape, dtype))
        yield [x, aligned(np.zeros_like(x))], PLACE | {"p": 0.4}


CALLS = {
    "philox_uint32": words(np.uint32),
    "philox_uniform": both(words(np.float32), words(np.float64)),
    "philox_normal": both(words(np.float32), words(np.float64)),
    "philox_uint32_rows": rows_of_words,
    "dropout": both(elementwise_calls(1, p=0.4, **PLACE), elementwise_calls(1, p=1.0, **PLACE)),
    "dropout2d": channels,
    "gaussian_noise": elementwise_calls(1, std=0.5, **PLACE),
}


def two_vectors_a_thread(dtype):
    """float64 takes two vectors of 16 bytes a thread: each request asks for half of its sectors, the rest is in L1."""
    return 2 if dtype == np.float64 else 1


def whole_blocks(dtype):
    """From the start of a cipher block: elsewhere blocks do not lie on multiples of 16 bytes."""

    def calls(call_dtype):
        if call_dtype == np.float32:
            yield [aligned(np.zeros(2048, dtype))], PLACE | {"start": 8}

    return calls


def whole_rows(call_dtype):
    if call_dtype == np.float32:
        yield [aligned(np.arange(64, dtype=np.uint64)), aligned(np.zeros((64, 32), np.uint32))], PLACE


COSTS = {
    "dropout": Cost(CALLS["dropout"], two_vectors_a_thread),
    "dropout2d": Cost(CALLS["dropout2d"]),
    "gaussian_noise": Cost(CALLS["gaussian_noise"], two_vectors_a_thread),
    "philox_uint32": Cost(whole_blocks(np.uint32)),
    "philox_uniform": Cost(whole_blocks(np.float32)),
    "philox_normal": Cost(whole_blocks(np.float32)),
    "philox_uint32_rows": Cost(whole_rows, tables=("rows",)),
}

"""Philox4x32-10 in Python integers, one word at a time (Salmon et al., SC11), and what is made of the words."""

import functools
import math

import numpy as np


@functools.lru_cache(maxsize=4096)
def cipher(counter, key):
    """Four 32-bit words of the counter and two of the key to four random words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (second >> 32) ^ c1 ^ k0,
            second & 0xFFFFFFFF,
            (first >> 32) ^ c3 ^ k1,
            first & 0xFFFFFFFF,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def word(seed, stream, i):
    low, high = 0xFFFFFFFF, 32
    block = i // 4
    counter = (block & low, block >> high, stream & low, stream >> high)
    return cipher(counter, (seed & low, seed >> high))[i % 4]


def words(seed, stream, start, count):
    return np.array([word(seed, stream, start + j) for j in range(count)], np.uint32)


def words_of_rows(seed, stream, rows, count):
    pitch = 4 * math.ceil(count / 4)
    return np.array(
        [[word(seed, stream, int(row) * pitch + j) for j in range(count)] for row in rows], np.uint32
    ).reshape(len(rows), count)


def normal(seed, stream, start, count):
    values = []
    for i in range(start, start + count):
        pair = i - i % 2
        u = ((word(seed, stream, pair) >> 8) + 1) * 2.0**-24
        v = (word(seed, stream, pair + 1) >> 8) * 2.0**-24
        function = math.sin if i % 2 else math.cos
        values.append(math.sqrt(-2 * math.log(u)) * function(2 * math.pi * v))
    return np.array(values)

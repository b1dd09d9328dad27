"""Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11) in blocks that stay in cache.

Word i of (seed, stream) is word i % 4 of the cipher block whose counter is (lo(i // 4), hi(i // 4), lo(stream),
hi(stream)) under the key (lo(seed), hi(seed)), where lo and hi are the halves of a 64-bit number. So a word
depends on seed, stream and i only, and any piece of a sequence can be made without what comes before it.
"""

from __future__ import annotations

import functools
import itertools
import sys

import numpy as np

from gpudl import _parallel

BLOCK = 1 << 17  # words; shorter blocks lose to the interpreter lock: a block is 42 calls of NumPy
_ROUNDS = 10
_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], np.uint64)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
_MASK, _HALF = np.uint64(_LOW), np.uint64(32)

assert sys.byteorder == "little", "the halves of a uint64 are taken as views of uint32"


def philox_uint32(out: np.ndarray, *, seed: int, stream: int, start: int) -> None:
    """out[j] = word start + j of (seed, stream); start + len(out) is at most 2^64."""
    pieces = block_ranges(start, len(out))

    def block(i: int) -> None:
        first, last = pieces[i]
        out[first - start : last - start] = words(first, last - first, seed=seed, stream=stream)

    _parallel.run(block, len(pieces), blas=False)


def philox_uint32_rows(rows: np.ndarray, out: np.ndarray, *, seed: int, stream: int) -> None:
    """out[s, j] = word rows[s] * pitch + j of (seed, stream), pitch being len(out[0]) rounded up to fours.

    rows : (S,) uint64, the products below 2^64. Rows stay whole in a block of work.
    """
    ciphers = -(-out.shape[1] // 4)
    if out.size == 0:
        return
    pieces = _parallel.ranges(len(rows), max(1, BLOCK // (4 * ciphers)))

    def block(i: int) -> None:
        piece = slice(*pieces[i])
        index = rows[piece, None] * np.uint64(ciphers) + np.arange(ciphers, dtype=np.uint64)
        made = _encrypt(index.reshape(-1), seed, stream)
        out[piece] = made.reshape(len(index), 4 * ciphers)[:, : out.shape[1]]

    _parallel.run(block, len(pieces), blas=False)


def philox_uniform(out: np.ndarray, *, seed: int, stream: int, start: int) -> None:
    """out[j] in [0, 1) from word start + j: its upper 24 bits for float32, all 32 for float64. Exact."""
    pieces = block_ranges(start, len(out))

    def block(i: int) -> None:
        first, last = pieces[i]
        made = words(first, last - first, seed=seed, stream=stream)
        unit_interval(made, out[first - start : last - start])

    _parallel.run(block, len(pieces), blas=False)


def philox_normal(out: np.ndarray, *, seed: int, stream: int, start: int) -> None:
    """out[j] standard normal, element start + j of (seed, stream); see `normals`."""
    pieces = block_ranges(start, len(out))

    def block(i: int) -> None:
        first, last = pieces[i]
        piece = normals(first, last - first, out.dtype, seed=seed, stream=stream)
        out[first - start : last - start] = piece

    _parallel.run(block, len(pieces), blas=False)


# ---- pieces, for operators that use numbers where they are made


def block_ranges(start: int, count: int) -> list[tuple[int, int]]:
    """[start, start + count) cut at the multiples of BLOCK."""
    edges = [start, *range((start // BLOCK + 1) * BLOCK, start + count, BLOCK), start + count]
    return [(first, last) for first, last in itertools.pairwise(edges) if last > first]


def words(first: int, count: int, *, seed: int, stream: int) -> np.ndarray:
    """Words first .. first + count, count at most BLOCK: this thread's scratch until its next call."""
    ciphers = (first + count + 3) // 4 - first // 4
    index = np.arange(ciphers, dtype=np.uint64)
    index += np.uint64(first // 4)
    return _encrypt(index, seed, stream)[first % 4 : first % 4 + count]


def unit_interval(made: np.ndarray, out: np.ndarray) -> None:
    """Words to numbers in [0, 1): (word >> 8) * 2^-24 in float32, word * 2^-32 in float64. Overwrites `made`."""
    if out.dtype == np.float32:
        np.right_shift(made, np.uint32(8), out=made)
        np.multiply(made.view(np.int32), np.float32(2.0**-24), out=out, dtype=np.float32, casting="unsafe")
    else:
        np.multiply(made, 2.0**-32, out=out)


def normals(first: int, count: int, dtype: np.dtype, *, seed: int, stream: int) -> np.ndarray:
    """Standard normal elements first .. first + count, this thread's scratch (Box and Muller 1958).

    Words 2j and 2j + 1 make elements 2j and 2j + 1. With u = ((word 2j >> 8) + 1) * 2^-24 in (0, 1],
    v = (word 2j+1 >> 8) * 2^-24 in [0, 1) and r = sqrt(-2 log u), they are r cos(2 pi v) and r sin(2 pi v).
    u and v are exact in float32, so the two dtypes differ by rounding only; no element is beyond 5.77.
    """
    low = first - first % 2
    pairs = (first + count + 1) // 2 - first // 2
    made = words(low, 2 * pairs, seed=seed, stream=stream).reshape(pairs, 2)
    np.right_shift(made, np.uint32(8), out=made)
    radius = _parallel.scratch("philox_radius", (pairs,), dtype)
    angle = _parallel.scratch("philox_angle", (pairs,), dtype)
    radius[...] = made[:, 0]
    radius += dtype.type(1)
    radius *= dtype.type(2.0**-24)
    np.log(radius, out=radius)
    radius *= dtype.type(-2)
    np.sqrt(radius, out=radius)
    angle[...] = made[:, 1]
    angle *= dtype.type(2 * np.pi * 2.0**-24)
    both = _parallel.scratch("philox_normal", (pairs, 2), dtype)
    part = _parallel.scratch("philox_part", (pairs,), dtype)
    for column, function in enumerate((np.cos, np.sin)):
        function(angle, out=part)
        np.multiply(part, radius, out=both[:, column])
    return both.reshape(-1)[first - low : first - low + count]


# ---- the cipher


def _encrypt(index: np.ndarray, seed: int, stream: int) -> np.ndarray:
    """The cipher blocks `index` (uint64) as words, four each: this thread's scratch until its next call.

    Each 32-bit word of the state lies in the lower half of a uint64, so that a product fits. A round is
        (c0, c1, c2, c3) <- (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)).
    c0 and c2 are the rows of `even`, which trade places in every round; c1 and c3 stay the products whose
    lower halves they are. Seen as 32-bit words, an upper half stands one place behind its lower half: a view
    that starts one word later brings it down and spares a pass that shifts.
    """
    count = len(index)
    even, product, odd = _parallel.scratch("philox_state", (3, 2, count), np.uint64)
    np.bitwise_and(index, _MASK, out=even[0])
    even[1] = stream & _LOW
    odd[0] = stream >> 32  # c3 goes into the row that c0 leaves
    np.right_shift(index, _HALF, out=odd[1])
    mixed = even.view(np.uint32)[:, :-1]
    for multipliers, keys in _schedule(seed):
        np.multiply(even, multipliers, out=product)
        np.bitwise_xor(product.view(np.uint32)[:, 1:], odd.view(np.uint32)[:, :-1], out=mixed)
        np.bitwise_xor(even, keys, out=even)
        np.bitwise_and(even, _MASK, out=even)  # the view left rubbish in the upper halves
        product, odd = odd[::-1], product[::-1]
    made = _parallel.scratch("philox_words", (count, 2), np.uint64)
    np.left_shift(odd, _HALF, out=odd)
    np.bitwise_or(even, odd[::-1], out=made.T)
    return made.reshape(-1).view(np.uint32)


@functools.lru_cache(maxsize=64)
def _schedule(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Multipliers and keys of each round, in the order in which the rows of the state then stand."""
    rounds = []
    for index in range(_ROUNDS):
        order = slice(None, None, -1 if index % 2 else 1)
        keys = [((seed >> 32 * half) + index * _KEY_STEPS[half]) & _LOW for half in (1, 0)]
        rounds.append((_MULTIPLIERS[order], np.array(keys, np.uint64)[order, None]))
    return tuple(rounds)

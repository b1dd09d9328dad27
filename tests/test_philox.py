"""Philox: the published vectors, any piece of any sequence, the same numbers whatever the cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import ops
from tests.support.arrays import assert_refuses, bad_calls
from tests.support.oracles import philox as oracle
from tests.support.tolerances import assert_close

LARGEST = 2**64 - 1

# counter, key, words: kat_vectors of Random123 1.14.0 (philox4x32, 10 rounds).
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_published_vectors(executor, counter, key, expected):
    assert " ".join(f"{word:08x}" for word in oracle.cipher(counter, key)) == expected
    seed, stream = key[0] + (key[1] << 32), counter[2] + (counter[3] << 32)
    block = np.array(
        [counter[0] + (counter[1] << 32)], np.uint64
    )  # a row of four words starts at block `row`
    words = ops.philox_uint32_rows(seed, stream, executor.array(block), 4)
    assert " ".join(f"{word:08x}" for word in executor.numpy(words)[0]) == expected


@given(
    seed=st.integers(0, LARGEST),
    stream=st.integers(0, LARGEST),
    start=st.integers(0, LARGEST - 100) | st.integers(0, 9),
    count=st.integers(0, 40),
)
def test_any_piece_of_any_sequence(seed, stream, start, count):
    words = ops.philox_uint32(seed, stream, start, count)
    assert words.dtype == np.uint32
    assert (words == oracle.words(seed, stream, start, count)).all()


@pytest.mark.parametrize("start", [0, 1, 2, 3, 5])
def test_long_sequences_have_no_seams(executor, start):
    with executor.active():
        whole = executor.numpy(ops.philox_uint32(7, 11, 0, 300_000))
        piece = executor.numpy(ops.philox_uint32(7, 11, start, 299_000))
    assert np.array_equal(piece, whole[start : start + 299_000])
    for i in (0, 131_071, 131_072, 262_143, 262_144, 299_999):
        assert whole[i] == oracle.word(7, 11, i)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 31])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.uint64])
def test_rows(executor, count, dtype):
    rows = np.array([3, 0, 250, 3], dtype)
    words = executor.numpy(ops.philox_uint32_rows(5, 9, executor.array(rows), count))
    assert words.shape == (4, count)
    assert (words == oracle.words_of_rows(5, 9, rows, count)).all()


def test_rows_of_many_samples_do_not_depend_on_the_batch():
    rows = np.random.default_rng(0).permutation(100_000)
    whole = ops.philox_uint32_rows(5, 9, rows, 6)
    assert np.array_equal(ops.philox_uint32_rows(5, 9, rows[70_000:], 6), whole[70_000:])
    assert (whole[-1] == oracle.words_of_rows(5, 9, rows[-1:], 6)).all()
    assert ops.philox_uint32_rows(5, 9, rows[:0], 6).shape == (0, 6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("start", "count"), [(0, 33), (5, 31), (131_070, 5), (0, 0)])
def test_uniform_and_normal(executor, dtype, start, count):
    with executor.active():
        uniform = executor.numpy(ops.philox_uniform(3, 4, start, count, dtype=dtype))
        normal = executor.numpy(ops.philox_normal(3, 4, start, count, dtype=dtype))
    words = oracle.words(3, 4, start, count)
    bits = 24 if dtype == np.float32 else 32
    assert uniform.dtype == normal.dtype == dtype
    assert (uniform == (words >> np.uint32(32 - bits)) * 2.0**-bits).all()
    # 2 pi v is rounded to float32 before the cosine: 2^-24 * 2 pi times a radius of up to 5.77
    assert_close(
        normal, oracle.normal(3, 4, start, count), tolerance=(1e-5, 2e-6) if dtype == np.float32 else None
    )


def test_moments():
    uniform, normal = ops.philox_uniform(1, 2, 0, 1_000_000), ops.philox_normal(1, 2, 0, 1_000_000)
    assert uniform.dtype == normal.dtype == np.float32
    assert 0 <= uniform.min() < uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 5 / np.sqrt(12e6)  # five standard errors
    assert abs(normal.mean()) < 5 / 1e3
    assert abs(normal.std() - 1) < 5 / np.sqrt(2e6)
    assert np.isfinite(normal).all()


@pytest.mark.parametrize("operator", [ops.philox_uint32, ops.philox_uniform, ops.philox_normal])
def test_out_and_thread_counts(operator):
    expected = operator(1, 2, 3, 400_001)
    before = gpudl.get_num_threads()
    for threads in (1, 3):
        gpudl.set_num_threads(threads)
        out = np.empty(400_001, expected.dtype)
        assert operator(1, 2, 3, 400_001, out=out) is out
        assert np.array_equal(out, expected)
    gpudl.set_num_threads(before)


@bad_calls(
    ("seed", lambda: ops.philox_uint32(-1, 0, 0, 1), ValueError, "seed must be at least 0, got -1"),
    ("big seed", lambda: ops.philox_uint32(2**64, 0, 0, 1), ValueError, "seed must be below 2^64"),
    ("stream", lambda: ops.philox_uniform(0, 1.5, 0, 1), TypeError, "stream must be an int, got float"),
    ("start", lambda: ops.philox_normal(0, 0, True, 1), TypeError, "start must be an int, got bool"),
    ("count", lambda: ops.philox_uint32(0, 0, 0, -1), ValueError, "count must be at least 0, got -1"),
    ("end", lambda: ops.philox_uint32(0, 0, LARGEST, 2), ValueError, "start + count must be at most 2^64"),
    (
        "out",
        lambda: ops.philox_uint32(0, 0, 0, 1, out=[1]),
        TypeError,
        "out must be a NumPy or CuPy array, got list",
    ),
    (
        "out dtype",
        lambda: ops.philox_uint32(0, 0, 0, 1, out=np.zeros(1, np.int32)),
        TypeError,
        "out must be uint32, got int32",
    ),
    (
        "out shape",
        lambda: ops.philox_uniform(0, 0, 0, 1, out=np.zeros(2, np.float32)),
        ValueError,
        "out must have shape (1,), got (2,)",
    ),
    (
        "dtype",
        lambda: ops.philox_normal(0, 0, 0, 1, dtype=np.float16),
        TypeError,
        "dtype must be float32 or float64, got float16",
    ),
    (
        "rows",
        lambda: ops.philox_uint32_rows(0, 0, np.zeros(2), 1),
        TypeError,
        "rows must have an integer dtype, got float64",
    ),
    (
        "rows shape",
        lambda: ops.philox_uint32_rows(0, 0, np.zeros((2, 1), int), 1),
        ValueError,
        "rows must have shape (S,), got (2, 1)",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

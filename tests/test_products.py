"""Matrix products on NumPy: in pieces, over threads, the same bits for any count of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl._numpy import _products
from tests.support.arrays import random_array

SHAPES = [
    (1, 1, 1),
    (1, 700, 300),
    (700, 300, 1),
    (131, 257, 67),
    (33, 129, 1031),
    (513, 64, 512),
    (300, 0, 40),
]


@pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_matmul(rows, inner, columns, dtype):
    a = random_array((inner, rows), dtype).T
    b = random_array((inner, columns), dtype, seed=1)
    before = gpudl.get_num_threads()
    results = []
    for count in (1, 2, 3, 4):
        gpudl.set_num_threads(count)
        results.append(_products.matmul(a, b, np.empty((rows, columns), dtype)))
    gpudl.set_num_threads(before)
    assert len({result.tobytes() for result in results}) == 1
    expected = a.astype(np.float64) @ b.astype(np.float64)
    # float32 sums of up to 700 products of size 1: the error grows like the square root of their number.
    assert np.abs(results[0] - expected).max(initial=0) <= (1e-4 if dtype == np.float32 else 1e-12)


def test_matmul_adds_the_bias_to_every_row():
    for rows, columns in ((700, 300), (300, 700), (3, 5)):
        a, b, bias = (
            random_array((rows, 64)),
            random_array((64, columns), seed=1),
            random_array((columns,), seed=2),
        )
        result = _products.matmul(a, b, np.empty((rows, columns)), bias)
        np.testing.assert_allclose(result, a @ b + bias, rtol=1e-12, atol=1e-12)


@pytest.fixture(params=[None, 5000, 10**6])
def unpacked(request, monkeypatch):
    monkeypatch.setattr(_products, "_UNPACKED", request.param)
    monkeypatch.setattr(_products, "_FEWEST_PRODUCTS", 0)
    return request.param


STACKS = [
    (2001, 30, 17),  # whole pieces and a shorter one
    (2000, 25, 10),
    (11, 500, 90),  # pieces would be shorter than they pay
    (3, 40, 7),
    (70, 1, 300),
    (301, 20, 97),  # many columns
    (0, 4, 5),
    (4, 0, 5),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize(("rows", "inner", "columns"), STACKS)
def test_multiply(unpacked, rows, inner, columns, batch, dtype):
    a = random_array((*batch, rows, inner), dtype)
    b = random_array((*batch[:1], *(1,) * (len(batch) - 1), inner, columns), dtype, seed=1)
    out = np.full((*batch, rows, 2, columns), np.nan, dtype)[..., 0, :]  # rows that do not follow one another
    _products.multiply(a, b, out)
    _assert_product(out, a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize(("inner", "rows", "columns"), STACKS)
def test_multiply_sums(unpacked, rows, inner, columns, batch, dtype):
    a = random_array((*batch, inner, rows), dtype).swapaxes(-1, -2)
    b = random_array((*batch, inner, columns), dtype, seed=1)
    out = np.full((*batch, rows, columns), np.nan, dtype)
    _products.multiply_sums(a, b, out)
    _assert_product(out, a, b)


def test_pieces_are_multiplied_unpacked(monkeypatch):
    monkeypatch.setattr(_products, "_UNPACKED", 5000)
    monkeypatch.setattr(_products, "_FEWEST_PRODUCTS", 0)
    shapes = []
    matmul = np.matmul

    def noted(a, b, out):
        shapes.append((*a.shape[-2:], b.shape[-1]))
        return matmul(a, b, out=out)

    a, b = random_array((901, 20)), random_array((901, 16), seed=1)
    monkeypatch.setattr(np, "matmul", noted)
    _products.multiply(a, b[:20], np.empty((901, 16)))
    assert shapes == [(15, 20, 16), (1, 20, 16)]
    shapes.clear()
    _products.multiply_sums(a.T, b, np.empty((20, 16)))
    assert shapes == [(20, 15, 16), (20, 1, 16)]


@given(extent=st.integers(0, 5000), products=st.integers(0, 10**7))
def test_a_piece_is_within_the_bound_or_all(extent, products):
    length = _products._piece(extent, products)
    assert length == extent or length * products <= 10**6


def _assert_product(out, a, b):
    expected = a.astype(np.float64) @ b.astype(np.float64)
    # Sums of up to 2001 products of size 1: 45 or so, the square root of their number, of which each term rounds.
    assert np.abs(out - expected).max(initial=0) <= (1e-3 if out.dtype == np.float32 else 1e-11)

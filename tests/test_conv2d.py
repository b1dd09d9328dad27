"""2-D convolution: every algorithm in every direction against loops, the layer against finite differences."""

import functools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import gpudl
from gpudl import _backend, nn, ops
from gpudl._numpy import _conv2d_scatter, _conv2d_winograd, _products
from gpudl._numpy.conv2d import algorithm
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.kernel_calls import CALLS
from tests.support.kernels import checked
from tests.support.oracles import conv2d as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)

# Winograd's transforms add up to 16 numbers before and after the product, so that its error is that of a sum a few
# times longer: within a factor of 2 of a direct float32 convolution's in Lavin and Gray, section 5, for both axes.
# Over rows, F(4, 3) has two to three times the error of a direct one.
WINOGRAD = (1e-5, 6e-6)

# (N, C, H, W), (K, C / groups, R, S), numbers; named after the algorithm or the difficulty.
CASES = {
    "pixel": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "empty batch": ((0, 3, 5, 5), (4, 3, 3, 3), {}),
    "planar": ((2, 3, 7, 8), (5, 3, 3, 2), {"stride": (2, 1), "padding": (1, 2)}),
    "planar, many filters": ((2, 3, 7, 9), (40, 3, 3, 2), {"stride": (2, 1), "padding": (1, 2)}),
    "bands": ((5, 2, 9, 12), (6, 2, 4, 5), {"padding": (1, 0)}),
    "bands, stride": ((3, 3, 11, 13), (5, 3, 3, 5), {"stride": (2, 3), "padding": (1, 3)}),
    "bands, padding": ((2, 1, 8, 7), (3, 1, 5, 7), {"padding": (4, 6), "stride": (3, 2)}),
    "bands, two together": ((2, 3, 7, 9), (5, 3, 3, 2), {"stride": (2, 1), "padding": (1, 2)}),
    "planar, dilated": ((3, 2, 9, 8), (31, 2, 3, 3), {"dilation": (2, 3), "padding": (2, 3)}),
    "im2col, few channels": ((3, 11, 9, 8), (31, 11, 3, 3), {"dilation": (2, 3), "padding": (2, 3)}),
    "im2col": ((2, 13, 7, 6), (33, 13, 3, 3), {"padding": (1, 1)}),
    "im2col, stride": ((3, 31, 11, 9), (17, 31, 5, 3), {"stride": (2, 3), "padding": (2, 1)}),
    "im2col, stride beyond the window": ((2, 12, 13, 11), (4, 12, 2, 2), {"stride": (3, 4)}),
    "im2col, dilated": (
        (2, 16, 13, 12),
        (8, 16, 3, 2),
        {"dilation": (3, 2), "stride": (1, 2), "padding": (3, 0)},
    ),
    "pointwise": ((3, 33, 5, 7), (31, 33, 1, 1), {}),
    "pointwise, stride": ((2, 32, 7, 7), (16, 32, 1, 1), {"stride": (2, 2)}),
    "pointwise, padding": ((2, 14, 4, 3), (5, 14, 1, 1), {"padding": (1, 2)}),
    "pointwise, long rows": ((2, 96, 15, 31), (72, 96, 1, 1), {"stride": (2, 2)}),
    "pointwise, long rows of groups": (
        (2, 192, 8, 33),
        (150, 96, 1, 1),
        {"stride": (3, 2), "padding": (1, 0), "groups": 2},
    ),
    "winograd, even": ((22, 224, 6, 6), (225, 224, 3, 3), {"padding": (1, 1)}),
    "winograd, odd": ((11, 227, 7, 11), (224, 227, 3, 3), {"padding": (1, 1)}),
    "winograd, no padding": ((17, 224, 8, 10), (232, 224, 3, 3), {}),
    "winograd, wide padding": ((9, 224, 6, 7), (224, 224, 3, 3), {"padding": (2, 3)}),
    "winograd, one image": ((1, 224, 27, 29), (224, 224, 3, 3), {"padding": (1, 1)}),
    "winograd, groups": ((22, 448, 6, 6), (448, 224, 3, 3), {"padding": (1, 1), "groups": 2}),
    "winograd rows, even": ((12, 32, 16, 12), (33, 32, 3, 3), {"padding": (1, 1)}),
    "winograd rows, odd": ((15, 35, 11, 13), (32, 35, 3, 3), {"padding": (1, 1)}),
    "winograd rows, no padding": ((25, 32, 9, 14), (40, 32, 3, 3), {}),
    "winograd rows, little padding": ((30, 32, 9, 12), (34, 32, 3, 3), {"padding": (2, 0)}),
    "winograd rows, wide padding": ((17, 32, 10, 9), (32, 32, 3, 3), {"padding": (3, 4)}),
    "winograd rows, groups": ((15, 64, 12, 12), (64, 32, 3, 3), {"padding": (1, 1), "groups": 2}),
    "winograd rows, tall": ((1, 33, 66, 70), (64, 33, 3, 3), {"padding": (1, 1)}),
    "winograd rows, 5x5": ((23, 33, 11, 10), (32, 33, 5, 5), {"padding": (2, 2)}),
    "winograd rows, 5x2": ((24, 32, 13, 12), (35, 32, 5, 2), {"padding": (1, 0)}),
    "winograd rows, 4x3": ((24, 32, 10, 11), (33, 32, 4, 3), {"padding": (2, 1)}),
    "winograd rows, 3x7": ((25, 32, 9, 10), (33, 32, 3, 7), {"padding": (0, 5)}),
    "winograd rows, flat": ((350, 32, 1, 6), (32, 32, 3, 3), {"padding": (6, 1)}),
    "scatter": ((5, 32, 11, 9), (33, 32, 3, 3), {"stride": (2, 2), "padding": (1, 1)}),
    "scatter, whole rows": ((5, 16, 12, 10), (20, 16, 3, 3), {"stride": (2, 2), "padding": (1, 1)}),
    "scatter, rows and columns left": ((3, 16, 13, 11), (16, 16, 2, 3), {"stride": (2, 2)}),
    "scatter, one tap": ((4, 16, 6, 7), (18, 16, 1, 1), {"stride": (2, 3)}),
    "scatter, dilated": (
        (3, 33, 12, 13),
        (64, 33, 3, 2),
        {"stride": (2, 3), "padding": (3, 2), "dilation": (2, 3)},
    ),
    "scatter, wide padding": ((2, 32, 3, 4), (32, 32, 2, 4), {"stride": (3, 1), "padding": (5, 6)}),
    "scatter, groups": ((3, 64, 7, 8), (70, 32, 3, 4), {"stride": (1, 2), "padding": (0, 1), "groups": 2}),
    "depthwise": ((3, 33, 9, 8), (33, 1, 3, 3), {"padding": (1, 1), "groups": 33}),
    "depthwise, stride": ((2, 7, 11, 10), (7, 1, 3, 5), {"stride": (2, 3), "padding": (1, 2), "groups": 7}),
    "depthwise, dilated": ((2, 5, 11, 10), (5, 1, 3, 3), {"dilation": (2, 3), "groups": 5}),
    "depthwise, two filters each": ((2, 5, 6, 7), (10, 1, 3, 3), {"padding": (1, 0), "groups": 5}),
    "groups": ((2, 6, 7, 7), (9, 2, 3, 3), {"groups": 3, "stride": (1, 2)}),
    "groups, eight as one": (
        (2, 64, 8, 9),
        (48, 4, 3, 2),
        {"groups": 16, "stride": (2, 1), "padding": (1, 1)},
    ),
    "groups, two as one": ((2, 68, 5, 6), (34, 2, 3, 3), {"groups": 34, "padding": (1, 0)}),
    "groups, each by itself": ((2, 33, 7, 8), (15, 11, 3, 2), {"groups": 3, "stride": (2, 1)}),
    "groups, bands": ((4, 33, 9, 12), (12, 11, 2, 5), {"groups": 3, "padding": (1, 2)}),
    "whole image": ((3, 17, 5, 6), (8, 17, 5, 6), {}),
}


@functools.cache
def made(case, dtype):
    x_shape, weight_shape, numbers = CASES[case]
    x, weight = random_array(x_shape, dtype, seed=1), random_array(weight_shape, dtype, seed=2)
    bias = random_array(weight_shape[:1], dtype, seed=3)
    y = oracle.conv2d_forward(x, weight, bias, **numbers)
    return x, weight, bias, numbers, y, random_array(y.shape, dtype, seed=4)


def make(case, dtype=F8):
    """x, weight, bias, numbers, y of the oracle and a gradient of it; made once, because loops take seconds."""
    return tuple(a.copy() if isinstance(a, np.ndarray) else a for a in made(case, np.dtype(dtype)))


@functools.cache
def gradients(case, dtype):
    x, weight, _, numbers, _, dy = made(case, dtype)
    return oracle.conv2d_gradients(x, weight, dy, **numbers)


def tolerance(case, dtype):
    return WINOGRAD if case.startswith("winograd") and dtype == F4 else None


def skip_long_case(executor, case, dtype=F8):
    """400 million products, which NumPy needs to choose Winograd on both axes, are seconds on simt.

    The kernels have one algorithm, and every branch of it is in the other cases. Half precision is computed in float32 by
    one wrapper, so that one of these cases is enough for it."""
    if not case.startswith("winograd, "):
        return
    if executor.name == "simt":
        pytest.skip("simt: long, and no branch of the kernels that the other cases do not have")
    if dtype.itemsize == 2 and case != "winograd, odd":
        pytest.skip("long, and the arithmetic is that of float32")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_forward(executor, case, dtype):
    skip_long_case(executor, case, dtype)
    x, weight, bias, numbers, expected, _ = make(case, dtype)
    unbiased = expected - np.asarray(bias, np.float64)[:, None, None]
    x, weight, bias = (executor.array(a) for a in (x, weight, bias))
    y = ops.conv2d_forward(x, weight, bias, **numbers)
    assert y.dtype == dtype
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    assert_close(executor.numpy(y), expected, tolerance=tolerance(case, dtype))
    without = executor.numpy(ops.conv2d_forward(x, weight, **numbers))
    assert_close(without, unbiased, tolerance=tolerance(case, dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_backward(executor, case, dtype):
    skip_long_case(executor, case, dtype)
    x, weight, _, numbers, _, dy = make(case, dtype)
    expected = gradients(case, dtype)
    x, weight, dy = (executor.array(a) for a in (x, weight, dy))
    actual = (
        ops.conv2d_backward_data(dy, weight, x.shape, **numbers),
        ops.conv2d_backward_weight(dy, x, weight.shape, **numbers),
        ops.conv2d_backward_bias(dy),
    )
    for name, mine, theirs in zip(("dx", "dweight", "dbias"), actual, expected, strict=True):
        assert mine.dtype == dtype
        assert_close(executor.numpy(mine), theirs, tolerance=tolerance(case, dtype), where=name)


def test_each_case_runs_the_algorithm_it_is_named_after():
    for case, (x_shape, weight_shape, numbers) in CASES.items():
        family = case.partition(",")[0]
        if family not in ("bands", "planar", "im2col", "winograd", "winograd rows"):
            continue
        stride, dilation = numbers.get("stride", (1, 1)), numbers.get("dilation", (1, 1))
        groups = numbers.get("groups", 1)
        P, Q = make(case)[4].shape[2:]
        K, C, R, S = weight_shape
        numbers = (x_shape[0], C, K // groups, (R, S), (P, Q), stride, dilation)
        assert algorithm(*numbers) == family, case
        if case == "im2col, few channels":
            assert algorithm(*numbers, weight_gradient=True) == "planar"

        if case == "winograd rows, 5x5":
            numbers = (x_shape[0], 224, 224, *numbers[3:])
            assert algorithm(*numbers) == family
            assert algorithm(*numbers, weight_gradient=True) == "im2col"


def test_the_gradient_of_the_data_is_scattered_in_the_cases_named_after_that():
    for case, (_, weight_shape, numbers) in CASES.items():
        K, C, R, S = weight_shape
        weight = np.empty((K, R, S, C), np.float32)
        outputs, groups = make(case)[4].shape[2:], numbers.get("groups", 1)
        scattered = _conv2d_scatter.pays(outputs, K // groups, weight, numbers.get("stride", (1, 1)))
        assert scattered == case.startswith("scatter"), case


def test_winograd_in_more_blocks_than_slots_of_sums(monkeypatch):
    monkeypatch.setattr(_conv2d_winograd, "_ROWS", 16)
    x, weight, bias, numbers, expected, dy = make("winograd, odd", F4)
    dx, dweight, _ = gradients("winograd, odd", F4)
    assert_close(ops.conv2d_forward(x, weight, bias, **numbers), expected, tolerance=WINOGRAD)
    assert_close(ops.conv2d_backward_data(dy, weight, x.shape, **numbers), dx, tolerance=WINOGRAD)
    assert_close(ops.conv2d_backward_weight(dy, x, weight.shape, **numbers), dweight, tolerance=WINOGRAD)


@pytest.mark.parametrize("case", ["pointwise, long rows", "pointwise, long rows of groups"])
@pytest.mark.parametrize("unpacked", [None, 10**6])
def test_long_rows_with_and_without_small_products(case, unpacked, monkeypatch):
    """The processor decides which form runs; here both do."""
    monkeypatch.setattr(_products, "_UNPACKED", unpacked)
    x, weight, bias, numbers, expected, _ = make(case, F4)
    groups, Q = numbers.get("groups", 1), expected.shape[3]
    assert _products.worth_a_call(Q, weight[0].size, weight.shape[0] // groups) == (unpacked is not None)
    assert_close(ops.conv2d_forward(x, weight, bias, **numbers), expected)


@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ((6, 16, 20, 18), (17, 16, 3, 3)),
        ((21, 5, 20, 20), (9, 5, 3, 3)),
        ((26, 4, 21, 20), (12, 4, 5, 4)),
        ((24, 12, 20, 18), (3, 12, 3, 3)),
    ],
)
def test_rows_of_winograd_with_few_channels_and_many_pixels(shape, filters):
    x, weight = random_array(shape, F4, seed=1), random_array(filters, F4, seed=2)
    y = ops.conv2d_forward(x, weight, padding=1)
    numbers = (shape[1], filters[0], filters[2:], y.shape[2:], (1, 1), (1, 1))
    assert algorithm(shape[0], *numbers) == "winograd rows"
    assert algorithm(1, *numbers) != "winograd rows"
    assert_close(y, oracle.conv2d_forward(x, weight, padding=(1, 1)), tolerance=WINOGRAD)
    dx, dweight, _ = oracle.conv2d_gradients(x, weight, y, padding=(1, 1))
    assert_close(ops.conv2d_backward_data(y, weight, x.shape, padding=1), dx, tolerance=WINOGRAD)
    assert_close(ops.conv2d_backward_weight(y, x, weight.shape, padding=1), dweight, tolerance=WINOGRAD)


def test_the_oracle_of_the_gradients_is_that_of_finite_differences():
    x, weight, bias, numbers, _, dy = make("groups")
    dx, dweight, dbias = oracle.conv2d_gradients(x, weight, dy, **numbers)
    forward = oracle.conv2d_forward
    assert_close(
        dx,
        numerical_gradient(lambda v: forward(v, weight, bias, **numbers), x, dy),
        tolerance=FINITE_DIFFERENCE,
    )
    assert_close(
        dweight,
        numerical_gradient(lambda v: forward(x, v, bias, **numbers), weight, dy),
        tolerance=FINITE_DIFFERENCE,
    )
    assert_close(
        dbias,
        numerical_gradient(lambda v: forward(x, weight, v, **numbers), bias, dy),
        tolerance=FINITE_DIFFERENCE,
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "case",
    [
        "bands, stride",
        "planar",
        "im2col",
        "pointwise",
        "winograd, odd",
        "winograd rows, odd",
        "scatter",
        "depthwise",
        "groups",
    ],
)
def test_any_memory_layout(executor, case, layout):
    skip_long_case(executor, case)
    x, weight, bias, numbers, y, dy = make(case)
    expected = y, *gradients(case, F8)
    x, weight, bias, dy = (executor.array(with_layout(a, layout)) for a in (x, weight, bias, dy))
    with unmodified(x, weight, bias, dy):
        actual = (
            ops.conv2d_forward(x, weight, bias, **numbers),
            ops.conv2d_backward_data(dy, weight, x.shape, **numbers),
            ops.conv2d_backward_weight(dy, x, weight.shape, **numbers),
            ops.conv2d_backward_bias(dy),
        )
    if layout == "broadcast":  # which changes the values
        x, weight, bias, dy = (executor.numpy(a) for a in (x, weight, bias, dy))
        expected = (
            oracle.conv2d_forward(x, weight, bias, **numbers),
            *oracle.conv2d_gradients(x, weight, dy, **numbers),
        )
    for mine, theirs in zip(actual, expected, strict=True):
        assert_close(executor.numpy(mine), theirs)


@pytest.mark.parametrize("layout", ["contiguous", "new axis", "channels_last"])
def test_one_channel_without_padding(executor, layout):
    """The input is read where it lies, and the stride of an axis of one element may be any number."""
    x, weight = random_array((5, 1, 8, 9)), random_array((3, 1, 3, 5), seed=1)
    dy = random_array((5, 3, 3, 5), seed=2)
    given = x[:, 0].copy()[:, None] if layout == "new axis" else with_layout(x, layout)
    given, w, g = executor.array(given), executor.array(weight), executor.array(dy)
    y = ops.conv2d_forward(given, w, stride=(2, 1))
    assert_close(executor.numpy(y), oracle.conv2d_forward(x, weight, stride=(2, 1)))
    dweight = ops.conv2d_backward_weight(g, given, w.shape, stride=(2, 1))
    assert_close(executor.numpy(dweight), oracle.conv2d_gradients(x, weight, dy, stride=(2, 1))[1])


@given(
    n=st.integers(0, 3), c=st.integers(1, 5), k=st.integers(1, 4), groups=st.integers(1, 3),
    extents=st.tuples(st.integers(1, 9), st.integers(1, 9)), field=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)), padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)  # fmt: skip
def test_any_shape(n, c, k, groups, extents, field, stride, padding, dilation):
    assume(all(e + 2 * p > d * (f - 1) for e, p, d, f in zip(extents, padding, dilation, field, strict=True)))
    numbers = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, weight = random_array((n, c * groups, *extents)), random_array((k * groups, c, *field), seed=1)
    y = ops.conv2d_forward(x, weight, **numbers)
    assert_close(y, oracle.conv2d_forward(x, weight, **numbers))
    dx, dweight, dbias = oracle.conv2d_gradients(x, weight, y, **numbers)
    assert_close(ops.conv2d_backward_data(y, weight, x.shape, **numbers), dx)
    assert_close(ops.conv2d_backward_weight(y, x, weight.shape, **numbers), dweight)
    assert_close(ops.conv2d_backward_bias(y), dbias)


@pytest.mark.parametrize(
    "case",
    [
        "bands",
        "bands, stride",
        "planar",
        "im2col, stride",
        "pointwise",
        "pointwise, long rows",
        "winograd, odd",
        "winograd rows, tall",
        "winograd rows, 5x5",
        "scatter",
        "depthwise",
        "groups",
    ],
)
def test_same_bits_for_any_thread_count(case):
    x, weight, bias, numbers, _, dy = make(case, F4)
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        results.add(
            ops.conv2d_forward(x, weight, bias, **numbers).tobytes()
            + ops.conv2d_backward_data(dy, weight, x.shape, **numbers).tobytes()
            + ops.conv2d_backward_weight(dy, x, weight.shape, **numbers).tobytes()
            + ops.conv2d_backward_bias(dy).tobytes()
        )
    gpudl.set_num_threads(before)
    assert len(results) == 1


@pytest.mark.parametrize(
    "case", ["bands", "planar", "im2col", "winograd, even", "winograd rows, even", "depthwise"]
)
def test_nan_reaches_the_pixels_whose_window_holds_it(case):
    x, weight, bias, numbers, _expected, _ = make(case)
    x[0, 0, 2, 3] = np.nan
    reached = np.isnan(oracle.conv2d_forward(x, weight, bias, **numbers))
    y = ops.conv2d_forward(x, weight, bias, **numbers)
    assert np.isnan(y[reached]).all()
    # Winograd mixes the pixels of a 4x4 piece, so a NaN may reach a neighbour in the same piece as well; bands multiply
    # the whole window of several neighbours.
    assert np.isfinite(y[1:]).all()
    if not case.startswith(("winograd", "bands")):
        assert np.array_equal(np.isnan(y), reached)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("groups", [16, 4])
def test_nan_and_infinity_stay_in_their_group(groups, value):
    x, weight = random_array((2, 64, 8, 9)), random_array((48, 64 // groups, 3, 3), seed=1)
    x[1, 63, 2, 3] = value
    y = ops.conv2d_forward(x, weight, padding=1, groups=groups)
    assert np.isfinite(y[:, : -48 // groups]).all()
    assert not np.isfinite(y[1, -48 // groups :, 2, 3]).any()
    dy = random_array(y.shape, seed=2)
    dy[1, 47, 2, 3] = value
    dx = ops.conv2d_backward_data(dy, weight, x.shape, padding=1, groups=groups)
    assert np.isfinite(dx[:, : -64 // groups]).all()
    assert not np.isfinite(dx[1, -64 // groups :, 2, 3]).any()
    x[...], dy[...] = random_array(x.shape), random_array(dy.shape)
    x[:, 63] = value
    dweight = ops.conv2d_backward_weight(dy, x, weight.shape, padding=1, groups=groups)
    assert np.isfinite(dweight[: -48 // groups]).all()


def test_same_and_valid():
    x, weight = random_array((2, 4, 7, 8)), random_array((3, 4, 4, 3), seed=1)
    same = ops.conv2d_forward(x, weight, padding="same", dilation=(2, 1))
    assert same.shape == (2, 3, 7, 8)
    padded = np.pad(x, ((0, 0), (0, 0), (3, 3), (1, 1)))  # 2 * (4 - 1) rows, 3 - 1 columns
    assert_close(same, oracle.conv2d_forward(padded, weight, dilation=(2, 1)))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 1)))  # an odd row goes to the bottom
    assert_close(ops.conv2d_forward(x, weight, padding="same"), oracle.conv2d_forward(padded, weight))
    valid = ops.conv2d_forward(x, weight, padding="valid")
    assert_close(valid, oracle.conv2d_forward(x, weight))


def test_out_and_unbatched():
    x, weight, bias, numbers, expected, dy = make("im2col")
    out = np.zeros(expected.shape)
    assert ops.conv2d_forward(x, weight, bias, out=out, **numbers) is out
    assert_close(out, expected)
    single = np.zeros(expected.shape[1:])
    assert ops.conv2d_forward(x[1], weight, bias, out=single, **numbers) is single
    assert_close(single, expected[1])
    dx, dweight, _ = oracle.conv2d_gradients(x[:1], weight, dy[:1], **numbers)
    assert_close(ops.conv2d_backward_data(dy[0], weight, x.shape[1:], **numbers), dx[0])
    assert_close(ops.conv2d_backward_weight(dy[0], x[0], weight.shape, **numbers), dweight)
    assert ops.conv2d_backward_bias(dy[0]).shape == bias.shape


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("direction", ["conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight"])
def test_no_bank_conflict_in_the_tiles_of_a_product(direction, dtype):
    """Of a tile with vectors of 16 bytes and of one without: as many passes as the bytes need."""
    found = set()
    for arrays, numbers in CALLS[direction](dtype):
        with checked() as simt:
            getattr(_backend.executor(arrays[0]), direction)(*arrays, **numbers)
            lines = simt.profile().lines
        for line in lines:
            if line.space != "shared" or not line.kernel.startswith(f"{direction}_kernel"):
                continue  # depthwise kernels write their filters to shared memory once for a block
            assert line.passes == line.needed_passes, line
            found.add(line.operation)
    assert found == {"read", "write"}


def padded_oracle(x, mode, before, after):
    modes = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    return np.pad(x, ((0, 0), (0, 0), *zip(before, after, strict=True)), mode=modes[mode])


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    ("padding", "before", "after"),
    [(2, (2, 2), (2, 2)), ((1, 3), (1, 3), (1, 3)), ("same", (3, 1), (3, 1)), ("valid", (0, 0), (0, 0))],
    ids=str,
)
def test_layer_padding(executor, mode, padding, before, after):
    stride = 1 if isinstance(padding, str) else (2, 1)
    layer = nn.Conv2d(4, 6, (4, 3), stride, padding, (2, 1), 2, padding_mode=mode, dtype=F8)
    x = random_array((1, 4, 8, 5))
    y = layer(executor.array(x))
    weight, bias = (executor.numpy(p.data) for p in (layer.weight, layer.bias))
    padded, numbers = (
        padded_oracle(x, mode, before, after),
        (layer.stride, (0, 0), layer.dilation, layer.groups),
    )
    assert_close(executor.numpy(y), oracle.conv2d_forward(padded, weight, bias, *numbers))
    dy = random_array(y.shape, seed=5)
    dx = layer.backward(executor.array(dy))
    dpadded, dweight, dbias = oracle.conv2d_gradients(padded, weight, dy, *numbers)
    expected = numerical_gradient(lambda v: padded_oracle(v, mode, before, after), x, dpadded)
    assert_close(executor.numpy(dx), expected, tolerance=FINITE_DIFFERENCE)
    assert_close(executor.numpy(layer.weight.grad), dweight)
    assert_close(executor.numpy(layer.bias.grad), dbias)


def test_layer_skips_what_is_frozen_or_not_wanted():
    layer = nn.Conv2d(3, 4, 3, bias=False)
    layer.input_requires_grad = False
    y = layer(random_array((2, 3, 5, 5), F4))
    assert layer.backward(y) is None
    assert layer.weight.grad is not None
    layer.zero_grad()
    layer.requires_grad_(False)
    layer(random_array((3, 5, 5), F4))
    layer.backward(y[0])
    assert layer.weight.grad is None


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d])
def test_bias_alone_refuses_a_gradient_of_another_shape(kind):
    layer = kind(3, 4, 3)
    layer.weight.requires_grad = layer.input_requires_grad = False
    y = layer(random_array((2, 3, *[5] * layer.axes), F4))
    words = f"{kind.__name__}: dy must have shape {y.shape}, that of y, got {y[:1].shape}"
    assert_refuses(lambda: layer.backward(y[:1]), ValueError, words)
    assert layer.bias.grad is None


def test_layer_starts_and_prints_as_in_pytorch():
    layer = nn.Conv2d(8, 6, (3, 5), stride=2, padding="valid", groups=2, bias=False, dtype="float16")
    assert layer.weight.shape == (6, 4, 3, 5)
    assert layer.weight.dtype == np.float16
    assert layer.weight.data.transpose(0, 2, 3, 1).flags.c_contiguous
    assert 0.8 / 60**0.5 < np.abs(layer.weight.data).max() <= 1 / 60**0.5 + 1e-4
    assert list(layer.state_dict()) == ["weight"]
    expected = "Conv2d(8, 6, kernel_size=(3, 5), stride=(2, 2), padding='valid', groups=2, bias=False)"
    assert repr(layer) == expected


@pytest.mark.torch
@pytest.mark.parametrize("case", [case for case in CASES if case != "empty batch"])
def test_pytorch_agrees(case):
    torch = pytest.importorskip("torch")
    x, weight, bias, numbers, _, dy = make(case)
    tx, tw, tb = (torch.from_numpy(a).requires_grad_() for a in (x, weight, bias))
    ty = torch.nn.functional.conv2d(tx, tw, tb, **numbers)
    ty.backward(torch.from_numpy(dy))
    assert_close(ops.conv2d_forward(x, weight, bias, **numbers), ty.detach().numpy())
    assert_close(ops.conv2d_backward_data(dy, weight, x.shape, **numbers), tx.grad.numpy())
    assert_close(ops.conv2d_backward_weight(dy, x, weight.shape, **numbers), tw.grad.numpy())


X, W = np.ones((2, 4, 5, 5), np.float32), np.ones((6, 4, 3, 3), np.float32)
DY = np.ones((2, 6, 3, 3), np.float32)


@bad_calls(
    ("layer bias", lambda: nn.Conv2d(4, 6, 3, bias="no"), TypeError, "Conv2d: bias must be a bool, got str"),
    ("x is a list", lambda: ops.conv2d_forward([1], W), TypeError, "x must be a NumPy or CuPy array, got list"),
    ("x rank", lambda: ops.conv2d_forward(X[0, 0], W), ValueError, "x must have shape (N, C, H, W) or (C, H, W)"),
    ("weight rank", lambda: ops.conv2d_forward(X, W[0]), ValueError, "weight must have shape (K, C, R, S)"),
    ("two dtypes", lambda: ops.conv2d_forward(X, W.astype("f8")), TypeError, "weight float64"),
    ("channels", lambda: ops.conv2d_forward(X[:, :3], W), ValueError, "4 input channels in each of 1 groups, x has 3"),
    ("groups", lambda: ops.conv2d_forward(X, W[:5, :2], groups=2), ValueError, "groups must divide the 5 filters"),
    ("no groups", lambda: ops.conv2d_forward(X, W, groups=0), ValueError, "groups must be at least 1, got 0"),
    ("bias", lambda: ops.conv2d_forward(X, W, X[0, 0, 0]), ValueError, "bias must have shape (6,)"),
    ("stride", lambda: ops.conv2d_forward(X, W, stride=0), ValueError, "stride must be at least 1, got 0"),
    ("huge", lambda: ops.conv2d_forward(X, W, padding=2**40), ValueError, "conv2d_forward: the result would have shape ("),
    ("stride type", lambda: ops.conv2d_forward(X, W, stride=1.5), TypeError, "stride must be an int, got float"),
    ("three strides", lambda: ops.conv2d_forward(X, W, stride=(1, 1, 1)), ValueError, "stride must be an int or 2 ints"),
    ("dilation", lambda: ops.conv2d_forward(X, W, dilation=(1, 0)), ValueError, "dilation must be at least 1, got 0"),
    ("padding", lambda: ops.conv2d_forward(X, W, padding=-1), ValueError, "padding must be at least 0, got -1"),
    ("padding word", lambda: ops.conv2d_forward(X, W, padding="full"), ValueError, "padding must be one of 'same'"),
    ("same, strided", lambda: ops.conv2d_forward(X, W, padding="same", stride=2), ValueError, "not supported for strided"),
    ("too small", lambda: ops.conv2d_forward(X[:, :, :2], W), ValueError, "more than the padded input (2, 5)"),
    ("no taps", lambda: ops.conv2d_forward(X, W[:, :, :0]), ValueError, "weight must have no axis of extent 0"),
    ("out shape", lambda: ops.conv2d_forward(X, W, out=X), ValueError, "out must have shape (2, 6, 3, 3)"),
    ("out overlaps", lambda: ops.conv2d_forward(X, W[:4], padding=1, out=X), ValueError, "not share memory with x"),
    ("dy shape", lambda: ops.conv2d_backward_data(DY, W, (2, 4, 6, 6)), ValueError, "dy must have shape (2, 6, 4, 4)"),
    ("input_size", lambda: ops.conv2d_backward_data(DY, W, 5), TypeError, "input_size must be a tuple of ints, got int"),
    ("weight_size", lambda: ops.conv2d_backward_weight(DY, X, (6, 4, 3)), ValueError, "weight_size must be (K, C, R, S)"),
    ("batch of one", lambda: ops.conv2d_backward_weight(DY[0], X, W.shape), ValueError, "both have a batch axis or neither"),
    ("dy rank", lambda: ops.conv2d_backward_bias(X[0, 0]), ValueError, "dy must have shape"),
    ("in_channels", lambda: nn.Conv2d(0, 1, 3), ValueError, "in_channels must be at least 1, got 0"),
    ("kernel_size", lambda: nn.Conv2d(1, 1, (3, 0)), ValueError, "kernel_size must be at least 1, got 0"),
    ("layer groups", lambda: nn.Conv2d(4, 6, 3, groups=4), ValueError, "groups must divide out_channels, got 4 and 6"),
    ("padding_mode", lambda: nn.Conv2d(4, 6, 3, padding_mode="mirror"), ValueError, "padding_mode must be one of 'zeros'"),
    ("backward first", lambda: nn.Conv2d(4, 6, 3).backward(DY), RuntimeError, "backward without a forward"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

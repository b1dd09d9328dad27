"""Pooling of every kind: windows with every number away from its default, bins, gradients, layouts, dtypes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import _backend, nn, ops
from gpudl._numpy import max_pool2d
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, random_array, unmodified, with_layout
from tests.support.gradients import numerical_gradient
from tests.support.kernels import require_simt
from tests.support.oracles import pool as oracle
from tests.support.tolerances import DTYPES, FINITE_DIFFERENCE, assert_close

# kernel_size, stride, padding, dilation, ceil_mode
WINDOWS = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 3), (2, 2), (1, 1), (1, 1), False),
    ((3, 2), (1, 3), (1, 0), (1, 1), True),
    ((2, 3), (3, 2), (1, 1), (2, 1), True),
    ((1, 1), (2, 2), (0, 0), (1, 1), True),
    ((2, 2), (2, 2), (0, 0), (1, 1), True),
    ((3, 3), (1, 1), (1, 1), (2, 2), False),
    ((5, 4), (1, 2), (2, 1), (1, 1), True),
]
SIZES = [(1, 1, 5, 7), (2, 3, 8, 6), (1, 33, 7, 5), (3, 2, 31, 9)]


def options(window):
    return dict(zip(("stride", "padding", "dilation", "ceil_mode"), window[1:], strict=True))


def ties(shape, seed=0):
    """Small whole numbers, so that windows have several largest elements."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_max_pool(executor, window, shape, dtype):
    x = np.asarray(ties(shape), dtype)
    y, offsets = ops.max_pool2d_forward(executor.array(x), window[0], needs_offsets=True, **options(window))
    expected, places = oracle.max_pool2d(x, *window)
    assert y.dtype == dtype
    assert offsets.dtype == np.uint8
    assert np.array_equal(executor.numpy(y), expected)
    somewhere = np.isfinite(expected)  # dilation allows windows wholly in the padding
    assert np.array_equal(executor.numpy(offsets)[somewhere], places[somewhere])
    plain = ops.max_pool2d_forward(executor.array(x), window[0], **options(window))
    assert np.array_equal(executor.numpy(plain), expected)
    dy = np.asarray(ties(y.shape, seed=1), dtype)
    dx = ops.max_pool2d_backward(executor.array(dy), offsets, x.shape, window[0], **options(window))
    assert dx.dtype == dtype
    assert np.array_equal(executor.numpy(dx), _scattered(dy, places, x.shape, window))


def _scattered(dy, places, shape, window):
    """Whole numbers, so that the sums are exact in every dtype."""
    dx = np.zeros(shape)
    for p, q, inside, _ in oracle.windows(shape, *window):
        for offset, h, w in inside:
            dx[:, :, h, w] += np.where(places[:, :, p, q] == offset, dy[:, :, p, q].astype(float), 0)
    return dx


def test_indices_are_places_in_the_plane(executor):
    for window in WINDOWS:
        x = ties((2, 3, 8, 9))
        y, offsets = ops.max_pool2d_forward(
            executor.array(x), window[0], needs_offsets=True, **options(window)
        )
        indices = executor.numpy(ops.max_pool2d_indices(offsets, x.shape, window[0], **options(window)))
        assert indices.dtype == np.int64
        values = np.take_along_axis(x.reshape(2, 3, -1), indices.reshape(2, 3, -1), axis=2).reshape(
            indices.shape
        )
        somewhere = np.isfinite(executor.numpy(y))
        assert np.array_equal(values[somewhere], executor.numpy(y)[somewhere])


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((8, 9), ((3, 2), (2, 3), (1, 0), (1, 2), False)),
        ((4, 3), ((2, 2), (1, 1), (1, 1), (3, 4), False)),  # a window wholly in the padding
        (
            (3, 600),
            ((1, 256), (1, 100), (0, 128), (1, 1), False),
        ),  # codes of one byte, which does not hold 256
        ((1 << 17, 1 << 16), ((2, 2), (1 << 16, 1 << 15), (1, 1), (5, 7), False)),  # places above 2**32
    ],
)
def test_every_code_of_every_window_becomes_a_place(executor, size, window):
    (R, S), (sh, sw), (ph, pw), (dh, dw), _ = window
    P, Q = (
        (extent + 2 * pad - dil * (kernel - 1) - 1) // step + 1
        for extent, kernel, step, pad, dil in zip(size, *window[:4], strict=True)
    )
    codes = np.arange(4 * R * S).reshape(4, 1, 1, R * S).repeat(P, 1).repeat(Q, 2) % (R * S)
    r, s = codes.transpose(0, 3, 1, 2) // S, codes.transpose(0, 3, 1, 2) % S
    h = np.clip(np.arange(P)[:, None] * sh - ph + r * dh, 0, size[0] - 1)
    w = np.clip(np.arange(Q) * sw - pw + s * dw, 0, size[1] - 1)
    offsets = executor.array(codes.transpose(0, 3, 1, 2).astype(np.uint8))
    indices = ops.max_pool2d_indices(offsets, (4, R * S, *size), window[0], **options(window))
    assert np.array_equal(executor.numpy(indices), h * size[1] + w)


def test_windows_of_more_than_256_elements(executor):
    x = random_array((1, 2, 40, 40))
    y, offsets = ops.max_pool2d_forward(executor.array(x), (17, 19), stride=5, needs_offsets=True)
    expected, places = oracle.max_pool2d(x, (17, 19), (5, 5), (0, 0), (1, 1), False)
    assert offsets.dtype == np.uint16
    assert np.array_equal(executor.numpy(y), expected)
    assert np.array_equal(executor.numpy(offsets), places)
    assert ops.max_pool2d_backward(y, offsets, x.shape, (17, 19), stride=5).sum() == pytest.approx(
        expected.sum()
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((2, 24, 9, 11), (2, 2)),
        ((3, 5, 50, 47), (2, 2)),  # more pixels of few channels than calls are worth
        ((2, 33, 9, 17), (4, 5)),
        ((1, 24, 35, 17), (17, 16)),  # codes of two bytes
    ],
    ids=str,
)
def test_windows_side_by_side(executor, shape, kernel, dtype):
    """With ties, -inf and NaN: the first largest, or the last NaN."""
    x = ties(shape)
    x[:, 0, : kernel[0]] = -np.inf
    x[:, 1, 1, :3] = x[:, -1, -2, ::2] = np.nan
    x = np.asarray(x, dtype)
    window = (kernel, kernel, (0, 0), (1, 1), False)
    y, offsets = ops.max_pool2d_forward(executor.array(x), kernel, needs_offsets=True)
    expected, places = oracle.max_pool2d(x, *window)
    assert np.array_equal(executor.numpy(y), expected, equal_nan=True)
    assert np.array_equal(executor.numpy(offsets), places)
    plain = ops.max_pool2d_forward(executor.array(x), kernel)
    assert np.array_equal(executor.numpy(plain), expected, equal_nan=True)


def test_nan_and_infinity(executor):
    x = ties((1, 2, 6, 6))
    x[0, 0, 1, 1], x[0, 1, 0, :], x[0, 1, 1, 0] = np.nan, -np.inf, -np.inf
    window = ((2, 2), (2, 2), (0, 0), (1, 1), False)
    y, offsets = ops.max_pool2d_forward(executor.array(x), 2, needs_offsets=True)
    expected, places = oracle.max_pool2d(x, *window)
    assert np.array_equal(executor.numpy(y), expected, equal_nan=True)
    assert np.array_equal(executor.numpy(offsets), places)
    dx = ops.max_pool2d_backward(executor.array(np.full(y.shape, np.inf)), offsets, x.shape, 2)
    assert np.array_equal(np.isinf(executor.numpy(dx)).sum(axis=(2, 3)), [[9, 9]])
    assert not np.isnan(executor.numpy(dx)).any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("count_include_pad", "divisor_override"), [(True, None), (False, None), (True, 5), (False, 3)]
)
@pytest.mark.parametrize("window", [w for w in WINDOWS if w[3] == (1, 1)], ids=str)
def test_avg_pool(executor, window, count_include_pad, divisor_override, dtype):
    numbers = (*window[:3], window[4], count_include_pad, divisor_override)
    names = {"stride": window[1], "padding": window[2], "ceil_mode": window[4]}
    names |= {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
    for shape in SIZES:
        x = random_array(shape, dtype)
        y = ops.avg_pool2d_forward(executor.array(x), window[0], **names)
        assert y.dtype == dtype
        assert_close(executor.numpy(y), oracle.avg_pool2d(x, *numbers))
    x = random_array((2, 2, 5, 6))
    dy = random_array(oracle.size(x.shape, *window), seed=1)
    dx = ops.avg_pool2d_backward(executor.array(np.asarray(dy, dtype)), x.shape, window[0], **names)
    slope = numerical_gradient(
        lambda z: oracle.avg_pool2d(z, *numbers), x, np.asarray(dy, dtype).astype(float)
    )
    assert_close(executor.numpy(dx), slope, tolerance=FINITE_DIFFERENCE if dtype == np.float64 else None)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 2), (5, 7), (7, 9)], ids=str)
def test_adaptive_pools(executor, size, dtype):
    for shape in [(2, 3, 5, 7), (1, 33, 6, 4), (2, 24, 20, 27)]:
        x = random_array(shape, dtype)
        y = ops.adaptive_avg_pool2d_forward(executor.array(x), size)
        assert_close(executor.numpy(y), oracle.adaptive(x, size, oracle.mean))
        top, indices = ops.adaptive_max_pool2d_forward(executor.array(np.asarray(ties(shape), dtype)), size)
        assert y.dtype == top.dtype == dtype
        assert np.array_equal(executor.numpy(top), oracle.adaptive(ties(shape), size, oracle.largest))
        assert np.array_equal(
            executor.numpy(indices), oracle.adaptive(ties(shape), size, oracle.first_largest)
        )
        dy = np.asarray(ties(y.shape, seed=1), dtype)
        dx = executor.numpy(ops.adaptive_max_pool2d_backward(executor.array(dy), indices, shape))
        expected = np.zeros((*shape[:2], shape[2] * shape[3]))
        for n, c, p, q in np.ndindex(y.shape):
            expected[n, c, int(executor.numpy(indices)[n, c, p, q])] += float(dy[n, c, p, q])
        assert np.array_equal(dx, expected.reshape(shape))
    x = random_array((2, 2, 5, 4))
    dy = random_array((2, 2, *size), dtype, seed=1)
    dx = ops.adaptive_avg_pool2d_backward(executor.array(dy), x.shape)
    slope = numerical_gradient(lambda z: oracle.adaptive(z, size, oracle.mean), x, dy.astype(float))
    assert_close(executor.numpy(dx), slope, tolerance=FINITE_DIFFERENCE if dtype == np.float64 else None)


@pytest.mark.parametrize("channels", [1, 24])
@pytest.mark.parametrize("size", [2, 3], ids=["equal bins", "overlapping bins"])
def test_adaptive_max_pool_takes_the_last_nan(executor, size, channels):
    x = ties((1, channels, 8, 8))
    x[0, 0, 0, 0] = x[0, 0, 1, 0] = np.nan
    y, indices = ops.adaptive_max_pool2d_forward(executor.array(x), size)
    assert np.isnan(executor.numpy(y)[0, 0, 0, 0])
    assert executor.numpy(indices)[0, 0, 0, 0] == 8


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [*SIZES, (2, 32, 1, 1)], ids=str)
def test_global_avg_pool(executor, shape, dtype):
    x = random_array(shape, dtype)
    y = ops.global_avg_pool2d_forward(executor.array(x))
    assert y.dtype == dtype
    assert_close(executor.numpy(y), oracle.adaptive(x, (1, 1), oracle.mean))
    dx = executor.numpy(ops.global_avg_pool2d_backward(y, shape))
    assert_close(dx, np.broadcast_to(executor.numpy(y).astype(float) / (shape[2] * shape[3]), shape), dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(executor, layout):
    x = with_layout(random_array((3, 4, 6, 5), np.float32), layout)
    given_x = executor.array(x)
    window = WINDOWS[1]
    with unmodified(x):
        y, offsets = ops.max_pool2d_forward(given_x, window[0], needs_offsets=True, **options(window))
        mean = ops.avg_pool2d_forward(given_x, 2)
        bins = ops.adaptive_avg_pool2d_forward(given_x, 3)
        top, indices = ops.adaptive_max_pool2d_forward(given_x, 3)
        average = ops.global_avg_pool2d_forward(given_x)
    assert np.array_equal(executor.numpy(y), oracle.max_pool2d(x, *window)[0])
    assert_close(executor.numpy(mean), oracle.avg_pool2d(x, (2, 2), (2, 2), (0, 0), False, True, None))
    assert_close(executor.numpy(bins), oracle.adaptive(x, (3, 3), oracle.mean))
    assert np.array_equal(executor.numpy(top), oracle.adaptive(x, (3, 3), oracle.largest))
    assert_close(executor.numpy(average), oracle.adaptive(x, (1, 1), oracle.mean))
    dy = with_layout(random_array(y.shape, np.float32, seed=1), layout)
    plain = np.ascontiguousarray(dy)
    assert np.array_equal(
        ops.max_pool2d_backward(executor.array(dy), offsets, x.shape, window[0], **options(window)),
        ops.max_pool2d_backward(executor.array(plain), offsets, x.shape, window[0], **options(window)),
    )
    small = with_layout(random_array(top.shape, np.float32, seed=2), layout)
    assert np.array_equal(
        ops.adaptive_max_pool2d_backward(executor.array(small), indices, x.shape),
        ops.adaptive_max_pool2d_backward(executor.array(np.ascontiguousarray(small)), indices, x.shape),
    )


@given(
    shape=st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    ceil_mode=st.booleans(),
)
def test_any_window(shape, kernel, stride, padding, ceil_mode):
    padding = tuple(min(pad, extent // 2) for pad, extent in zip(padding, kernel, strict=True))
    numbers = (kernel, stride, padding, (1, 1), ceil_mode)
    x = ties(shape)
    names = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    if 0 in [oracle.extent(*c, 1, ceil_mode) for c in zip(shape[2:], kernel, stride, padding, strict=True)]:
        assert_refuses(lambda: ops.max_pool2d_forward(x, kernel, **names), ValueError, "the windows must fit")
        return
    y, offsets = ops.max_pool2d_forward(x, kernel, needs_offsets=True, **names)
    expected, places = oracle.max_pool2d(x, *numbers)
    assert np.array_equal(y, expected)
    assert np.array_equal(offsets, places)
    assert_close(
        ops.avg_pool2d_forward(x, kernel, **names),
        oracle.avg_pool2d(x, kernel, stride, padding, ceil_mode, True, None),
    )


def test_thread_count_does_not_change_bits():
    x = random_array((50, 17, 50, 41), np.float32)
    before = gpudl.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        gpudl.set_num_threads(threads)
        y, offsets = ops.max_pool2d_forward(x, 3, stride=2, needs_offsets=True)
        mean = ops.avg_pool2d_forward(x, 3, stride=2)
        arrays = [
            y, offsets, ops.max_pool2d_backward(y, offsets, x.shape, 3, stride=2),
            mean, ops.avg_pool2d_backward(mean, x.shape, 3, stride=2),
            ops.adaptive_avg_pool2d_forward(x, 7), ops.global_avg_pool2d_forward(x),
        ]  # fmt: skip
        results.append([array.tobytes() for array in arrays])
    gpudl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_large_image_has_the_bits_of_the_kernel(kernel):
    """NumPy takes its rows in several cuts; windows that overlap at an edge of them are added in the same order."""
    require_simt()
    x, dy = (random_array((1, 64, 40, 40), np.float32, seed=seed) for seed in (0, 1))
    assert dy.size > max_pool2d._CHUNK
    results = []
    for backend in ("cpu", "simt"):
        with gpudl.use_backend(backend):
            names = {"stride": 1, "padding": kernel // 2}
            _, offsets = ops.max_pool2d_forward(x, kernel, needs_offsets=True, **names)
            results.append(ops.max_pool2d_backward(dy, offsets, x.shape, kernel, **names).tobytes())
    assert results[0] == results[1]


LAYERS = [
    nn.MaxPool2d((2, 3), stride=2, padding=1, dilation=(2, 1), ceil_mode=True),
    nn.MaxPool2d(2),
    nn.AvgPool2d(3, stride=(2, 1), padding=1, ceil_mode=True, count_include_pad=False),
    nn.AvgPool2d(2, divisor_override=3),
    nn.AdaptiveAvgPool2d((None, 3)),
    nn.AdaptiveMaxPool2d((3, None)),
    nn.GlobalAvgPool2d(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_layers(layer):
    x = random_array((2, 3, 7, 8))
    assert gpudl.check_gradient(layer, x)
    y = layer(x)
    dx = layer.backward(y)
    single = layer(x[1])
    assert np.array_equal(single, y[1])
    assert np.array_equal(layer.backward(single), dx[1])
    layer.input_requires_grad = False
    layer(x)
    assert layer.backward(y) is None
    layer.input_requires_grad = True
    with gpudl.no_grad():
        assert np.array_equal(layer(x), y)
    assert_refuses(lambda: layer.backward(y), RuntimeError, "backward without a forward")


def test_layers_return_indices():
    x = random_array((2, 3, 6, 6))
    for layer in (nn.MaxPool2d(2, return_indices=True), nn.AdaptiveMaxPool2d(3, return_indices=True)):
        y, indices = layer(x)
        values = np.take_along_axis(x.reshape(2, 3, -1), indices.reshape(2, 3, -1), axis=2).reshape(y.shape)
        assert np.array_equal(values, y)
        assert layer.backward(y).shape == x.shape
        with gpudl.no_grad():
            assert np.array_equal(layer(x)[1], indices)


@pytest.mark.torch
def test_pytorch_agrees():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    for (H, W), k, s, p, d, ceil_mode in itertools.product(
        [(5, 7), (8, 8)], [2, 3, (3, 2)], [None, 1, 3], [0, 1], [1, 2], [False, True]
    ):
        x = ties((2, 3, H, W))
        tx = torch.from_numpy(x).requires_grad_()
        expected, places = F.max_pool2d(tx, k, s, p, d, ceil_mode, True)
        names = {"stride": s, "padding": p, "dilation": d, "ceil_mode": ceil_mode}
        y, offsets = ops.max_pool2d_forward(x, k, needs_offsets=True, **names)
        assert np.array_equal(y, expected.detach().numpy())
        assert np.array_equal(ops.max_pool2d_indices(offsets, x.shape, k, **names), places.numpy())
        dy = ties(y.shape, seed=3)
        expected.backward(torch.from_numpy(dy))
        assert np.array_equal(ops.max_pool2d_backward(dy, offsets, x.shape, k, **names), tx.grad.numpy())
        if d == 1:
            for include, divisor in itertools.product([True, False], [None, 3]):
                expected = F.avg_pool2d(torch.from_numpy(x), k, s, p, ceil_mode, include, divisor)
                y = ops.avg_pool2d_forward(
                    x,
                    k,
                    stride=s,
                    padding=p,
                    ceil_mode=ceil_mode,
                    count_include_pad=include,
                    divisor_override=divisor,
                )
                assert_close(y, expected.numpy())


WINDOW = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kernel_size": (0, 2)}, "kernel_size must be in [1, 2147483647], got 0"),
        ({"padding": (0, 2)}, "padding must be at most half of kernel_size, got 2 of 2"),
        ({"stride": (2, 9)}, "every window must start before the end of an axis of 6 pixels, got 3 windows"),
        ({"dilation": (2**31 - 1, 1)}, "the windows must reach less than 2^31 pixels"),
        ({"kernel_size": (2**31 - 1, 2**31 - 1)}, "the windows must reach less than 2^31 pixels"),
        ({"kernel_size": (300, 300)}, "kernel_size must hold at most 65536 elements, got 90000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_compiled_operators_refuse_windows_that_would_leave_the_image(change, words):
    require_simt()
    x, y = np.zeros((1, 4, 6, 8), np.float32), np.zeros((1, 2, 3, 8), np.float32)
    kernels = _backend._load("simt")
    assert_refuses(
        lambda: kernels.max_pool2d_forward(x, y, y.astype(np.uint8), **(WINDOW | change)), ValueError, words
    )


X = np.ones((2, 3, 4, 5), np.float32)
Y, OFFSETS = ops.max_pool2d_forward(X, 2, needs_offsets=True)


@bad_calls(
    (
        "list",
        lambda: ops.max_pool2d_forward([1.0], 2),
        TypeError,
        "x must be a NumPy or CuPy array, got list",
    ),
    (
        "rank",
        lambda: ops.avg_pool2d_forward(X[0, 0], 2),
        ValueError,
        "x must have shape (N, C, H, W) or (C, H, W)",
    ),
    ("integers", lambda: ops.global_avg_pool2d_forward(X.astype(int)), TypeError, "x must be float16"),
    ("kernel", lambda: ops.max_pool2d_forward(X, 0), ValueError, "kernel_size must be at least 1, got 0"),
    ("kernel pair", lambda: nn.MaxPool2d((1, 2, 3)), ValueError, "kernel_size must be an int or 2 ints"),
    ("stride", lambda: nn.AvgPool2d(2, stride=0), ValueError, "AvgPool2d: stride must be at least 1, got 0"),
    (
        "padding",
        lambda: nn.MaxPool2d(2, padding=2),
        ValueError,
        "padding must be at most half of kernel_size (2, 2)",
    ),
    ("dilation", lambda: nn.MaxPool2d(2, dilation=1.5), TypeError, "dilation must be an int, got float"),
    (
        "ceil_mode",
        lambda: nn.AvgPool2d(2, ceil_mode="no"),
        ValueError,
        "ceil_mode must be one of False, True",
    ),
    (
        "too large",
        lambda: ops.max_pool2d_forward(X, 6),
        ValueError,
        "the windows must fit into the padded input (4, 5)",
    ),
    (
        "huge window",
        lambda: ops.max_pool2d_forward(np.ones((1, 1, 300, 300)), 300, needs_offsets=True),
        ValueError,
        "65536",
    ),
    (
        "divisor",
        lambda: nn.AvgPool2d(2, divisor_override=0),
        ValueError,
        "divisor_override must be at least 1, got 0",
    ),
    ("no channels", lambda: ops.max_pool2d_forward(X[:, :0], 2), ValueError, "C, H and W must be at least 1"),
    (
        "dy",
        lambda: ops.max_pool2d_backward(Y[:1], OFFSETS, X.shape, 2),
        ValueError,
        "dy must have shape (2, 3, 2, 2)",
    ),
    (
        "offsets",
        lambda: ops.max_pool2d_backward(Y, OFFSETS.astype(int), X.shape, 2),
        TypeError,
        "offsets must be uint8 for kernel_size (2, 2), got int64",
    ),
    (
        "offsets shape",
        lambda: ops.max_pool2d_indices(OFFSETS, (2, 3, 6, 6), 2),
        ValueError,
        "offsets must have shape (2, 3, 3, 3)",
    ),
    (
        "x_shape",
        lambda: ops.avg_pool2d_backward(Y, (4, 5), 2),
        ValueError,
        "x_shape must have 4 extents, got (4, 5)",
    ),
    ("output_size", lambda: nn.AdaptiveAvgPool2d(0), ValueError, "output_size must be at least 1, got 0"),
    ("output_size triple", lambda: nn.AdaptiveMaxPool2d((1, 2, 3)), ValueError, "must be an int or 2 ints"),
    (
        "indices",
        lambda: ops.adaptive_max_pool2d_backward(Y, np.full(Y.shape, 20), X.shape),
        ValueError,
        "indices must be in [0, 20), got 20",
    ),
    (
        "global dy",
        lambda: ops.global_avg_pool2d_backward(Y, X.shape),
        ValueError,
        "dy must have shape (2, 3, 1, 1)",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_adaptive_average_refuses_a_gradient_of_other_bins():
    layer = nn.AdaptiveAvgPool2d(2)
    layer(X)
    words = "AdaptiveAvgPool2d: dy must have shape (2, 3, 2, 2), that of y, got (2, 3, 1, 2)"
    assert_refuses(lambda: layer.backward(Y[:, :, :1]), ValueError, words)


@pytest.mark.parametrize(
    "layer",
    [nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2), nn.GlobalAvgPool2d()],
    ids=lambda layer: type(layer).__name__,
)
def test_shares_that_round_to_zero_are_no_floating_point_error(layer):
    with np.errstate(all="raise"):
        y = layer(X)
        layer.backward(np.full_like(y, 5e-45))


BACKWARDS = {
    "avg_pool2d_backward": lambda shape: ops.avg_pool2d_backward(Y, shape, 2),
    "max_pool2d_backward": lambda shape: ops.max_pool2d_backward(Y, OFFSETS, shape, 2),
    "max_pool2d_indices": lambda shape: ops.max_pool2d_indices(OFFSETS, shape, 2),
    "adaptive_avg_pool2d_backward": lambda shape: ops.adaptive_avg_pool2d_backward(Y, shape),
    "adaptive_max_pool2d_backward": lambda shape: ops.adaptive_max_pool2d_backward(Y, Y.astype(int), shape),
    "global_avg_pool2d_backward": lambda shape: ops.global_avg_pool2d_backward(Y[:, :, :1, :1], shape),
}


@pytest.mark.parametrize("op", BACKWARDS)
def test_the_shape_of_x_is_checked(op):
    for shape, exception, words in (
        (None, TypeError, "must be a tuple of ints, got NoneType"),
        ((2, 3, 4.0, 5), TypeError, "must be an int, got float"),
        ((2, 3, -4, 5), ValueError, "must be at least 0, got -4"),
        ((3, 4, 5), ValueError, "must have 4 extents, got (3, 4, 5)"),
    ):
        assert_refuses(lambda shape=shape: BACKWARDS[op](shape), exception, f"{op}: x_shape {words}")

"""Operators on batches of images: every pixel against naive loops, in every dtype, layout and size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, unmodified, with_layout
from tests.support.oracles import images as oracle
from tests.support.tolerances import DTYPES, assert_close

UINT8 = np.dtype(np.uint8)
IMAGE_DTYPES = (UINT8, *DTYPES)
every_dtype = pytest.mark.parametrize("dtype", IMAGE_DTYPES, ids=str)
# (N, C, H, W)
SHAPES = [(3, 3, 7, 9), (2, 1, 5, 4), (1, 4, 1, 6), (0, 3, 4, 4), (33, 2, 2, 1), (2, 3, 31, 33)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def images(shape, dtype=np.uint8, seed=0):
    """Pixels of the whole range: 0 to 255, or [0, 1]."""
    rng = np.random.default_rng(seed)
    if dtype == UINT8:
        return rng.integers(0, 256, shape).astype(np.uint8)
    return rng.random(shape).astype(dtype)


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert np.array_equal(np.asarray(a, np.float64), np.asarray(b, np.float64), equal_nan=True)


def fills(x):
    return np.arange(1, x.shape[1] + 1).tolist()


# ---- crop and flip


def crop_numbers(N, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "top": rng.integers(-9, 9, N),
        "left": rng.integers(-30, 12, N),
        "flip_horizontal": rng.random(N) < 0.5,
        "flip_vertical": rng.random(N) < 0.5,
    }


def expected_crop(x, size, numbers, mode, fill):
    return oracle.crop(x, size, *numbers.values(), mode, fill)


@every_dtype
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@every_shape
def test_crop(executor, shape, mode, dtype):
    x = images(shape, dtype)
    numbers = crop_numbers(len(x))
    size = (5, 8)
    y = ops.image_crop(executor.array(x), size, padding_mode=mode, fill=fills(x), **numbers)
    same_bits(executor.numpy(y), expected_crop(x, size, numbers, mode, fills(x)))


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    mode=st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    seed=st.integers(0, 1000),
)
def test_any_crop(shape, size, mode, seed):
    x, numbers = images(shape, seed=seed), crop_numbers(shape[0], seed)
    y = ops.image_crop(x, size, padding_mode=mode, fill=7, **numbers)
    same_bits(y, expected_crop(x, size, numbers, mode, 7))


def test_crop_without_numbers_is_a_copy():
    x = images((2, 3, 4, 5))
    y = ops.image_crop(x)
    same_bits(y, x)
    assert not np.may_share_memory(x, y)
    same_bits(ops.image_crop(x, flip_horizontal=True), x[..., ::-1])
    same_bits(ops.image_crop(x, 2, top=1, left=3), x[:, :, 1:3, 3:5])


def test_crop_of_images_without_pixels_is_the_fill():
    assert (ops.image_crop(np.zeros((2, 3, 0, 4), np.uint8), (2, 2), fill=[1, 2, 3])[1, 2] == 3).all()
    assert ops.image_crop(np.zeros((2, 3, 0, 4), np.uint8)).shape == (2, 3, 0, 4)
    assert ops.image_crop(np.zeros((2, 0, 3, 4), np.uint8)).shape == (2, 0, 3, 4)


# ---- affine


def matrices(N, seed=0):
    made = np.random.default_rng(seed).standard_normal((N, 2, 3)) * [1, 1, 4]
    made[:1] = [[1, 0, 0], [0, 1, 0]]
    made[1:2] = [[0.5, 0, 0], [0, 2, 0.5]]  # halves
    made[2:3] = [[1, 0, 1e9], [0, 1, 0]]
    return made


@every_dtype
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@every_shape
def test_affine(executor, shape, interpolation, dtype):
    x = images(shape, dtype)
    maps = matrices(len(x))
    for size in (None, (6, 5)):
        y = ops.image_affine(executor.array(x), maps, size, interpolation=interpolation, fill=fills(x))
        expected = oracle.affine(x, maps, size or shape[2:], interpolation, fills(x))
        same_bits(executor.numpy(y), expected)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine_of_one_matrix_and_the_identity(interpolation):
    x = images((3, 2, 5, 6))
    same_bits(ops.image_affine(x, [[1, 0, 0], [0, 1, 0]], interpolation=interpolation), x)
    turned = ops.image_affine(x, [[0, -1, 5], [1, 0, 0]], (6, 5), interpolation=interpolation)
    same_bits(turned, np.rot90(x, -1, (2, 3))[:, :, ::-1, ::-1])
    empty = ops.image_affine(np.zeros((1, 1, 0, 3), np.uint8), [[1, 0, 0], [0, 1, 0]], 2, fill=9)
    assert (empty == 9).all()


@pytest.mark.torch
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine_agrees_with_grid_sample(interpolation):
    torch = pytest.importorskip("torch")
    x = images((3, 2, 9, 7), np.float32)
    theta = np.random.default_rng(1).uniform(-1, 1, (3, 2, 3))
    grid = torch.nn.functional.affine_grid(torch.from_numpy(theta), [3, 2, 6, 5], align_corners=False)
    expected = torch.nn.functional.grid_sample(
        torch.from_numpy(x.astype(np.float64)), grid, interpolation, align_corners=False
    )
    (H, W), (P, Q) = (9, 7), (6, 5)
    to_unit = np.array([[2 / Q, 0, 1 / Q - 1], [0, 2 / P, 1 / P - 1], [0, 0, 1]])
    from_unit = np.array([[W / 2, 0, (W - 1) / 2], [0, H / 2, (H - 1) / 2]])
    whole = np.concatenate([theta, np.broadcast_to([[[0, 0, 1]]], (3, 1, 3))], axis=1)
    y = ops.image_affine(x, from_unit @ whole @ to_unit, (P, Q), interpolation=interpolation)
    # Places are made in float32: an error of 1e-6 pixels against differences of up to 1.
    assert_close(y, expected.numpy(), tolerance=(1e-5, 1e-5))


# ---- resize


def boxes(N, H, W, seed=0):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, H + 1, N), rng.integers(1, W + 1, N)
    made = np.stack([rng.integers(0, H - height + 1), rng.integers(0, W - width + 1), height, width], axis=1)
    made[:1] = [0, 0, H, W]
    return made


def check_resize(y, expected):
    """uint8 is the nearest whole number, but for halves within the error of float32 sums of a few products of 255."""
    if y.dtype != UINT8:
        assert_close(y, expected)
        return
    assert y.shape == expected.shape
    assert (np.abs(y - expected) <= 0.5 + 255 * 2.0**-20).all()


@every_dtype
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(3, 4), (11, 2), (8, 13)], ids=str)
def test_resize(executor, size, interpolation, antialias, dtype):
    for shape in [(4, 3, 7, 9), (2, 1, 1, 5), (0, 3, 4, 4)]:
        x = images(shape, dtype)
        parts = boxes(*shape[:1], *shape[2:])
        options = {"interpolation": interpolation, "antialias": antialias}
        y = ops.image_resize(executor.array(x), size, boxes=parts, **options)
        check_resize(executor.numpy(y), oracle.resize(x, size, parts, **options))
        whole = ops.image_resize(executor.array(x), size, **options)
        everything = np.tile([0, 0, *shape[2:]], (len(x), 1))
        check_resize(executor.numpy(whole), oracle.resize(x, size, everything, **options))


def test_resize_to_the_same_size_changes_nothing():
    for dtype in IMAGE_DTYPES:
        x = images((2, 3, 31, 33), dtype)
        for options in ({}, {"interpolation": "nearest"}, {"antialias": False}):
            same_bits(ops.image_resize(x, (31, 33), **options), x)


@pytest.mark.torch
@pytest.mark.parametrize("size", [(5, 8), (40, 31), (16, 50)], ids=str)
@pytest.mark.parametrize("antialias", [True, False])
def test_resize_agrees_with_interpolate(size, antialias):
    torch = pytest.importorskip("torch")
    x = images((2, 3, 31, 33), np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x), size, mode="bilinear", align_corners=False, antialias=antialias
    )
    # PyTorch makes its weights in float32 from places of up to 33 pixels.
    assert_close(ops.image_resize(x, size, antialias=antialias), expected.numpy(), tolerance=(1e-5, 2e-5))
    nearest = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode="nearest")
    same_bits(ops.image_resize(x, size, interpolation="nearest"), nearest.numpy())


# ---- colour


def color_numbers(N, seed=0):
    rng = np.random.default_rng(seed)
    factors = {name: rng.uniform(0.3, 1.8, N) for name in ("brightness", "contrast", "saturation")}
    factors["hue"] = rng.uniform(-0.5, 0.5, N)
    order = np.array([rng.permutation(4) for _ in range(N)], int).reshape(N, 4)
    return factors, order


@every_dtype
@pytest.mark.parametrize("shape", [(5, 3, 6, 5), (3, 1, 4, 7), (0, 3, 4, 4), (1, 3, 31, 33)], ids=str)
def test_color(executor, shape, dtype):
    x = images(shape, dtype)
    factors, order = color_numbers(len(x))
    y = ops.image_color(executor.array(x), order=order, **factors)
    same_bits(executor.numpy(y), oracle.color(x, factors, order))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
@every_dtype
def test_each_adjustment_alone(name, dtype):
    x = images((4, 3, 5, 6), dtype)
    x[0, :, 0] = x[0, :1, 0]  # grey pixels have no hue
    factors, _ = color_numbers(4)
    order = np.tile(np.arange(4), (4, 1))
    same_bits(ops.image_color(x, **{name: factors[name]}), oracle.color(x, {name: factors[name]}, order))
    same_bits(ops.image_color(x, **{name: 0.5}), oracle.color(x, {name: [0.5] * 4}, order))


def test_colour_that_changes_nothing():
    x = images((4, 3, 16, 17))
    same_bits(ops.image_color(x), x)
    same_bits(ops.image_color(x, brightness=1, contrast=1, saturation=1, hue=0, order=[3, 2, 1, 0]), x)
    same_bits(ops.image_color(images((2, 1, 4, 4)), saturation=0.2, hue=0.4), images((2, 1, 4, 4)))
    four = images((2, 4, 3, 3))
    same_bits(ops.image_color(four, brightness=0), np.zeros_like(four))


def test_hue_turns_the_pure_colours():
    red, green, blue = (np.eye(3)[i].reshape(1, 3, 1, 1) for i in range(3))
    assert_close(ops.image_color(red, hue=1 / 3), green, tolerance=(0, 1e-6))  # 1/3 is rounded
    assert_close(ops.image_color(red, hue=-1 / 3), blue, tolerance=(0, 1e-6))
    assert_close(ops.image_color(green, hue=0.5), 1 - green)


def test_nan_and_inf_go_through_colour_as_in_the_oracle():
    x = images((1, 3, 3, 3), np.float32)
    x[0, 1, 1, 1] = np.nan
    assert np.isnan(ops.image_color(x, contrast=0.5)).all()
    for name in ("hue", "saturation"):
        assert np.isnan(ops.image_color(x, **{name: 0.4})).sum() == 3
    assert (ops.image_color(np.full_like(x, np.inf), brightness=0.5) == 1).all()


# ---- erase and normalise


@every_dtype
@every_shape
def test_erase(executor, shape, dtype):
    x = images(shape, dtype)
    rng = np.random.default_rng(2)
    parts = np.concatenate([rng.integers(-2, 7, (len(x), 2)), rng.integers(0, 5, (len(x), 2))], axis=1)
    y = ops.image_erase(executor.array(x), parts, value=fills(x))
    same_bits(executor.numpy(y), oracle.erase(x, parts, fills(x)))
    one = ops.image_erase(executor.array(x), [0, 1, 3, 40])
    same_bits(executor.numpy(one), oracle.erase(x, np.tile([0, 1, 3, 40], (len(x), 1)), 0))


@every_dtype
@pytest.mark.parametrize("made", [None, *DTYPES], ids=str)
@every_shape
def test_normalize(executor, shape, made, dtype):
    x = images(shape, dtype)
    mean, std = np.linspace(0.3, 0.6, shape[1]).tolist(), np.linspace(0.1, -0.4, shape[1]).tolist()
    y = ops.image_normalize(executor.array(x), mean, std, dtype=made)
    assert y.dtype == (made or (np.float32 if dtype == UINT8 else dtype))
    assert_close(executor.numpy(y), oracle.normalize(x, mean, std))
    one = ops.image_normalize(executor.array(x), 0.5, 2, dtype=made)
    assert_close(executor.numpy(one), oracle.normalize(x, 0.5, 2))


def test_normalize_rounds_each_step_once():
    x = images((2, 3, 17, 19))
    mean, factor = np.float32(123.4), np.float32(1 / 56.7)
    same_bits(ops.image_normalize(x, 123.4, 56.7), (x.astype(np.float32) - mean) * factor)


def test_normalize_keeps_nan_and_rounds_to_inf():
    x = np.array([np.nan, np.inf, -np.inf, 1e5], np.float32).reshape(1, 1, 2, 2)
    y = ops.image_normalize(x, 0, 1, dtype=np.float16)
    assert np.array_equal(y.ravel(), np.array([np.nan, np.inf, -np.inf, np.inf], np.float16), equal_nan=True)


# ---- what all of them promise

BOX = [[1, 0, 3, 4]]
CALLS = {
    "crop": lambda x, **o: ops.image_crop(x, 4, top=-1, left=2, flip_vertical=True, fill=1, **o),
    "crop reflect": lambda x, **o: ops.image_crop(x, 9, top=-3, left=-2, padding_mode="reflect", **o),
    "affine nearest": lambda x, **o: ops.image_affine(x, [[0.8, 0.3, -1], [-0.3, 0.9, 1]], fill=1, **o),
    "affine bilinear": lambda x, **o: ops.image_affine(
        x, [[0.8, 0.3, -1], [-0.3, 0.9, 1]], interpolation="bilinear", **o
    ),
    "resize": lambda x, **o: ops.image_resize(x, (3, 9), boxes=[1, 0, 4, 5], **o),
    "color": lambda x, **o: ops.image_color(x, brightness=1.2, contrast=0.7, saturation=1.4, hue=0.2, **o),
    "erase": lambda x, **o: ops.image_erase(x, [1, 1, 3, 2], value=1, **o),
    "normalize": lambda x, **o: ops.image_normalize(x, 0.3, 0.5, **o),
}
every_call = pytest.mark.parametrize("name", CALLS)


@every_call
@pytest.mark.parametrize("dtype", [UINT8, np.dtype(np.float32)], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_inputs_unmodified(executor, layout, dtype, name):
    x = with_layout(images((3, 3, 6, 7), dtype), layout)
    plain = np.array(x)
    with unmodified(x):
        y = executor.numpy(CALLS[name](executor.array(x)))
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    same_bits(y, executor.numpy(CALLS[name](executor.array(plain))))


@every_call
def test_out(name):
    x = images((3, 3, 6, 7))
    expected = CALLS[name](x)
    for layout in ("contiguous", "channels_last", "strided"):
        out = with_layout(np.zeros(expected.shape, expected.dtype), layout)
        assert CALLS[name](x, out=out) is out
        same_bits(out, expected)
    assert_refuses(
        lambda: CALLS[name](x, out=np.zeros((1, 1, 1, 1), expected.dtype)), ValueError, "out must have shape"
    )
    assert_refuses(lambda: CALLS[name](x, out=np.zeros(expected.shape, np.int8)), TypeError, "out must be")


@every_call
def test_batch_split_and_threads_do_not_change_bits(name):
    x = images((9, 3, 150, 160), np.float32)
    before = gpudl.get_num_threads()
    expected = CALLS[name](x)
    try:
        for threads in (1, 3):
            gpudl.set_num_threads(threads)
            same_bits(CALLS[name](x), expected)
    finally:
        gpudl.set_num_threads(before)
    for n in range(len(x)):
        same_bits(CALLS[name](x[n : n + 1]), expected[n : n + 1])


def test_numbers_that_differ_do_not_depend_on_the_batch_split():
    x = -images((40, 3, 12, 13), np.float32)  # negative zeros and all
    x[:, :, ::2] = -0.0
    maps, parts, (factors, order) = matrices(40), boxes(40, 12, 13), color_numbers(40)
    calls = [
        lambda s: ops.image_affine(x[s], maps[s], interpolation="bilinear"),
        lambda s: ops.image_resize(x[s], 5, boxes=parts[s]),
        lambda s: ops.image_color(x[s], order=order[s], **{name: f[s] for name, f in factors.items()}),
    ]
    for call in calls:
        whole = call(slice(None))
        for n in range(40):
            assert call(slice(n, n + 1)).tobytes() == whole[n : n + 1].tobytes()


X = np.zeros((2, 3, 4, 5), np.uint8)
EYE = [[1, 0, 0], [0, 1, 0]]


@bad_calls(
    ("list", lambda: ops.image_crop([1.0]), TypeError, "image_crop: x must be a NumPy or CuPy array, got list"),
    ("dtype", lambda: ops.image_erase(X.astype(int), BOX), TypeError, "x must be uint8, float16, bfloat16, float32 or float64, got int64"),
    ("rank", lambda: ops.image_color(X[0]), ValueError, "image_color: x must have shape (N, C, H, W), got (3, 4, 5)"),
    ("size", lambda: ops.image_crop(X, 0), ValueError, "size must be at least 1, got 0"),
    ("three sizes", lambda: ops.image_resize(X, (1, 2, 3)), ValueError, "size must be an int or 2 ints"),
    ("top", lambda: ops.image_crop(X, top=[1, 2, 3]), ValueError, "top must have shape () or (2,), got (3,)"),
    ("left", lambda: ops.image_crop(X, left=0.5), TypeError, "left must be ints, got float"),
    ("far", lambda: ops.image_crop(X, top=2**31), ValueError, "top must be in [-1073741824, 1073741824]"),
    ("flip", lambda: ops.image_crop(X, flip_vertical=[1, 0]), TypeError, "flip_vertical must be bools, got int64"),
    ("mode", lambda: ops.image_crop(X, padding_mode="wrap"), ValueError, "padding_mode must be one of 'constant', 'edge'"),
    ("no pixel", lambda: ops.image_crop(X[:, :, :0], 2, padding_mode="edge"), ValueError, "needs at least one pixel to repeat"),
    ("fill range", lambda: ops.image_crop(X, fill=256), ValueError, "fill must be whole numbers in [0, 255] for uint8 images, got 256"),
    ("fill part", lambda: ops.image_affine(X, EYE, fill=[0, 0.5, 1]), ValueError, "fill must be whole numbers"),
    ("fill count", lambda: ops.image_affine(X, EYE, fill=[0, 1]), ValueError, "fill must have shape () or (3,), got (2,)"),
    ("matrices", lambda: ops.image_affine(X, np.eye(3)), ValueError, "matrices must have shape (2, 3) or (2, 2, 3), got (3, 3)"),
    ("ragged", lambda: ops.image_affine(X, [[1, 2], [3]]), ValueError, "matrices must have shape (2, 3) or (2, 2, 3), got a ragged list"),
    ("NaN", lambda: ops.image_affine(X, np.full((2, 3), np.nan)), ValueError, "matrices must be in [-1073741824, 1073741824], got nan"),
    ("interpolation", lambda: ops.image_affine(X, EYE, interpolation="bicubic"), ValueError, "interpolation must be one of 'nearest', 'bilinear', got 'bicubic'"),
    ("antialias", lambda: ops.image_resize(X, 3, antialias="yes"), ValueError, "antialias must be one of True, False"),
    ("box", lambda: ops.image_resize(X, 3, boxes=[0, 0, 4, 6]), ValueError, "lie within images of (4, 5), got (top, left, height, width) (0, 0, 4, 6)"),
    ("empty box", lambda: ops.image_resize(X, 3, boxes=[[0, 0, 1, 1], [1, 1, 0, 1]]), ValueError, "(1, 1, 0, 1)"),
    ("erase", lambda: ops.image_erase(X, [0, 0, -1, 2]), ValueError, "height and width of boxes must be at least 0, got -1"),
    ("erase value", lambda: ops.image_erase(X, [0, 0, 1, 2], value="random"), TypeError, "value must be numbers, got str"),
    ("brightness", lambda: ops.image_color(X, brightness=-1), ValueError, "brightness must be in [0, 1073741824], got -1"),
    ("hue", lambda: ops.image_color(X, hue=[0, 0.6]), ValueError, "hue must be at most 0.5, got 0.6"),
    ("hue low", lambda: ops.image_color(X, hue=-0.6), ValueError, "hue must be in [-0.5,"),
    ("order", lambda: ops.image_color(X, order=[0, 1, 2, 2]), ValueError, "order must hold 0, 1, 2 and 3 once for each sample"),
    ("channels", lambda: ops.image_color(X[:, :2], contrast=1), ValueError, "need images of 1 or 3 channels, got x (2, 2, 4, 5)"),
    ("std", lambda: ops.image_normalize(X, 0, [1, 0, 1]), ValueError, "std must not be 0, got [1, 0, 1]"),
    ("tiny std", lambda: ops.image_normalize(X, 0, 1e-300), ValueError, "1 / std must be finite in float32"),
    ("mean", lambda: ops.image_normalize(X, [0, 1], 1), ValueError, "mean must have shape () or (3,), got (2,)"),
    ("result", lambda: ops.image_normalize(X, 0, 1, dtype="uint8"), TypeError, "dtype must be float16, bfloat16, float32 or float64, got uint8"),
    ("overlap", lambda: ops.image_erase(X, BOX * 2, out=X), ValueError, "out must not share memory with x"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

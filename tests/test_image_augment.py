"""Image transforms as one operator: the very bits of the operators one after the other, and what the oracles say."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import ops
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, unmodified, with_layout
from tests.support.kernels import checked, require_simt
from tests.support.oracles import images as oracle
from tests.support.tolerances import DTYPES, assert_close

STAGES = ("crop", "affine", "color", "erase", "normalize", "erase_after")
OPERATORS = {name: getattr(ops, f"image_{name}") for name in STAGES[:-1]} | {"erase_after": ops.image_erase}
# (N, C, H, W): fewer pixels than a warp, one channel, any number of channels, no image, sizes that are no multiples.
SHAPES = [(3, 3, 7, 9), (2, 1, 5, 4), (2, 5, 3, 6), (0, 3, 4, 4), (2, 3, 33, 31)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def images(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def boxes(rng, N, H, W):
    starts = rng.integers(-2, max(H, W), (N, 2))
    return np.concatenate([starts, rng.integers(0, max(H, W), (N, 2))], axis=1)


def numbers_of(shape, seed=0, *, dtype=None, mode="constant", interpolation="bilinear", size=(6, 8)):
    """Arguments of every stage, none of them the default; the affine map gives images of (5, 9)."""
    N, C, _, _ = shape
    rng = np.random.default_rng(seed)
    matrices = rng.standard_normal((N, 2, 3)) * [0.6, 0.6, 2] + np.eye(2, 3)
    colors = {"brightness": rng.uniform(0.3, 1.8, N)}
    if C in (1, 3):
        colors |= {name: rng.uniform(0.3, 1.8, N) for name in ("contrast", "saturation")}
        colors |= {"hue": rng.uniform(-0.5, 0.5, N)}
    return {
        "crop": {
            "size": size, "top": rng.integers(-4, 5, N), "left": rng.integers(-4, 5, N), "padding_mode": mode,
            "flip_horizontal": rng.random(N) < 0.5, "flip_vertical": rng.random(N) < 0.5, "fill": 7,
        },
        "affine": {"matrices": matrices, "size": (5, 9), "interpolation": interpolation, "fill": 9},
        "color": {**colors, "order": np.array([rng.permutation(4) for _ in range(N)], int).reshape(N, 4)},
        "erase": {"boxes": boxes(rng, N, *shape[2:]), "value": np.arange(1, C + 1)},
        "normalize": {"mean": np.linspace(90, 120, C), "std": np.linspace(50, 70, C), "dtype": dtype},
        "erase_after": {"boxes": boxes(rng, N, *shape[2:]), "value": np.arange(C)},
    }  # fmt: skip


def one_by_one(x, numbers):
    y = ops.image_crop(x)  # a copy
    for name in STAGES:
        if numbers.get(name) is not None:
            y = OPERATORS[name](y, **numbers[name])
    return y


def same_bits(a, b):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    assert a.tobytes() == b.tobytes()


@every_shape
@pytest.mark.parametrize("count", range(len(STAGES) + 1))
def test_any_stages_give_the_bits_of_the_operators_one_by_one(executor, shape, count):
    x = images(shape)
    every = numbers_of(shape)
    for names in itertools.combinations(STAGES, count):
        chosen = {name: every[name] for name in names}
        with gpudl.use_backend("cpu"):
            expected = one_by_one(x, chosen)
        same_bits(executor.numpy(ops.image_augment(executor.array(x), **chosen)), expected)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("dtype", [None, *DTYPES], ids=str)
def test_each_dtype_and_way_to_sample(executor, dtype, interpolation, mode):
    shape = (3, 3, 11, 10)
    x, numbers = images(shape), numbers_of(shape, 1, dtype=dtype, mode=mode, interpolation=interpolation)
    y = executor.numpy(ops.image_augment(executor.array(x), **numbers))
    assert y.dtype == (dtype or np.float32)
    with gpudl.use_backend("cpu"):
        same_bits(y, one_by_one(x, numbers))


@pytest.mark.parametrize("shape", [(3, 3, 7, 9), (2, 1, 5, 4)], ids=str)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_what_the_oracles_say(executor, interpolation, shape):
    x, numbers = images(shape), numbers_of(shape, 2, interpolation=interpolation, mode="reflect")
    crop, affine, color, erase = (numbers[name] for name in STAGES[:4])
    expected = oracle.crop(
        x,
        crop["size"],
        *(crop[name] for name in ("top", "left", "flip_horizontal", "flip_vertical")),
        "reflect",
    )
    expected = oracle.affine(expected, affine["matrices"], affine["size"], interpolation, affine["fill"])
    factors = {name: values for name, values in color.items() if name != "order"}
    expected = oracle.color(expected, factors, color["order"])
    expected = oracle.erase(expected, erase["boxes"], erase["value"])
    whole = {name: numbers[name] for name in STAGES[:4]}
    same_bits(executor.numpy(ops.image_augment(executor.array(x), **whole)), expected)
    normalize, after = numbers["normalize"], numbers["erase_after"]
    expected = oracle.normalize(expected, normalize["mean"], normalize["std"])
    expected = oracle.erase(expected, after["boxes"], after["value"])
    assert_close(executor.numpy(ops.image_augment(executor.array(x), **numbers)), expected.astype(np.float32))


@given(data=st.data())
def test_any_sizes_and_stages(data):
    extent = st.integers(1, 40)
    shape = (
        data.draw(st.integers(1, 3)),
        data.draw(st.sampled_from([1, 2, 3, 4])),
        *data.draw(st.tuples(extent, extent)),
    )
    every = numbers_of(
        shape, data.draw(st.integers(0, 999)), dtype=data.draw(st.sampled_from([None, *DTYPES])),
        mode=data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric"])),
        interpolation=data.draw(st.sampled_from(["nearest", "bilinear"])), size=data.draw(st.tuples(extent, extent)),
    )  # fmt: skip
    every["affine"]["size"] = data.draw(st.none() | st.tuples(extent, extent))
    chosen = {name: every[name] for name in data.draw(st.sets(st.sampled_from(STAGES)))}
    x = images(shape)
    expected = one_by_one(x, chosen)
    same_bits(ops.image_augment(x, **chosen), expected)
    require_simt()
    with gpudl.use_backend("simt"):
        same_bits(ops.image_augment(x, **chosen), expected)


def test_images_that_several_blocks_share(executor):
    """Of one image every block sums the grey of all of it; without colours a block has 256 pixels."""
    x = images((2, 3, 70, 66))
    for chosen in (
        {"color": {"contrast": 0.3, "order": [0, 2, 1, 3], "saturation": 1.4}},
        {"crop": {"top": 3}},
    ):
        with gpudl.use_backend("cpu"):
            expected = one_by_one(x, chosen)
        same_bits(executor.numpy(ops.image_augment(executor.array(x), **chosen)), expected)


COLOR = {"color": {"contrast": 0.5}}


@pytest.mark.parametrize(
    ("shape", "stages", "blocks", "threads"),
    [
        ((2, 3, 70, 66), {}, 2 * 19, 256),  # 4620 pixels
        ((2, 3, 70, 66), COLOR, 2 * 5, 928),  # as many as have work for 1024 threads
        ((50, 3, 70, 66), COLOR, 50 * 2, 1024),  # 128 / 50
        ((150, 1, 9, 7), COLOR, 150, 64),
        ((1, 5, 9, 7), {"color": {"brightness": 0.5}}, 1, 320),  # a thread has one of five channels
    ],
    ids=str,
)
def test_one_launch_in_which_blocks_share_images(shape, stages, blocks, threads):
    with checked() as executor:
        ops.image_augment(images(shape), **stages)
        launches = [each for each in executor.profile().launches if "augment" in each.kernel]
        assert executor.findings() == []
    (launch,) = launches
    assert (launch.grid, launch.block, launch.count) == ((blocks, 1, 1), (threads, 1, 1), 1)


def test_images_without_pixels_and_without_images():
    nothing = np.zeros((2, 3, 0, 4), np.uint8)
    assert ops.image_augment(nothing).shape == (2, 3, 0, 4)
    affine = {"matrices": np.eye(2, 3), "size": (2, 3), "fill": [1, 2, 3]}
    for chosen in (
        {"affine": affine},
        {"crop": {}, "affine": affine},
        {"crop": {"fill": 5, "size": 4}, "affine": affine},
    ):
        same_bits(ops.image_augment(nothing, **chosen), one_by_one(nothing, chosen))
    y = ops.image_augment(nothing[:0], normalize={"mean": 0, "std": 1, "dtype": "float16"})
    assert (y.shape, y.dtype) == ((0, 3, 0, 4), np.float16)


def test_without_stages_it_is_a_copy():
    x = images((2, 3, 4, 5))
    y = ops.image_augment(x)
    same_bits(y, x)
    assert not np.may_share_memory(x, y)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_inputs_unmodified(executor, layout):
    x = with_layout(images((3, 3, 6, 7)), layout)
    numbers = numbers_of(x.shape)
    with gpudl.use_backend("cpu"):
        expected = one_by_one(np.array(x), numbers)
    with unmodified(x):
        y = executor.numpy(ops.image_augment(executor.array(x), **numbers))
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    same_bits(y, expected)


def test_out(executor):
    x = images((3, 3, 6, 7))
    numbers = numbers_of(x.shape)
    with gpudl.use_backend("cpu"):
        expected = one_by_one(x, numbers)
    for layout in ("contiguous", "channels_last", "strided"):
        out = executor.array(with_layout(np.zeros(expected.shape, expected.dtype), layout))
        assert ops.image_augment(executor.array(x), **numbers, out=out) is out
        same_bits(executor.numpy(out), expected)


def test_batch_split_and_threads_do_not_change_bits(executor):
    """On a GPU the size of the batch decides how many blocks share an image."""
    x = images((5, 3, 70, 66))
    numbers = numbers_of(x.shape, dtype=np.float16, size=(64, 60))
    numbers["affine"]["size"] = (62, 65)
    whole = executor.numpy(ops.image_augment(executor.array(x), **numbers))
    before = gpudl.get_num_threads()
    try:
        gpudl.set_num_threads(before % 2 + 1)
        same_bits(executor.numpy(ops.image_augment(executor.array(x), **numbers)), whole)
    finally:
        gpudl.set_num_threads(before)
    by_sample = {"top", "left", "flip_horizontal", "flip_vertical", "matrices", "boxes", "order"} | set(
        numbers["color"]
    )
    for n in range(len(x)):
        one = {
            stage: {name: value[n : n + 1] if name in by_sample else value for name, value in given.items()}
            for stage, given in numbers.items()
        }
        same_bits(executor.numpy(ops.image_augment(executor.array(x[n : n + 1]), **one)), whole[n : n + 1])


X = np.zeros((2, 3, 4, 5), np.uint8)


def refused(**numbers):
    return lambda: ops.image_augment(X, **numbers)


@bad_calls(
    ("list", lambda: ops.image_augment([1.0]), TypeError, "image_augment: x must be a NumPy or CuPy array, got list"),
    ("floats", lambda: ops.image_augment(X.astype("f4")), TypeError, "image_augment: x must be uint8, got float32"),
    ("rank", lambda: ops.image_augment(X[0]), ValueError, "image_augment: x must have shape (N, C, H, W), got (3, 4, 5)"),
    ("no dict", refused(crop=4), TypeError, "image_augment: crop must be a dict of arguments or None, got int"),
    ("unknown", refused(crop={"tops": 1}), TypeError, "crop takes size, top, left, flip_horizontal, flip_vertical, padding_mode, fill: got an unexpected keyword argument 'tops'"),
    ("missing", refused(affine={}), TypeError, "affine takes matrices, size, interpolation, fill: missing a required argument: 'matrices', got []"),
    ("out inside", refused(erase={"boxes": [0, 0, 1, 1], "out": X}), TypeError, "erase takes boxes, value: got an unexpected keyword argument 'out'"),
    ("x inside", refused(color={"x": X}), TypeError, "color takes brightness, contrast, saturation, hue, order: "),
    ("no name", refused(color={3: X}), TypeError, "color takes brightness"),
    ("crop", refused(crop={"top": [1, 2, 3]}), ValueError, "image_augment: crop: top must have shape () or (2,), got (3,)"),
    ("affine", refused(affine={"matrices": np.eye(3)}), ValueError, "image_augment: affine: matrices must have shape (2, 3) or (2, 2, 3)"),
    ("interpolation", refused(affine={"matrices": np.eye(2, 3), "interpolation": "cubic"}), ValueError, "affine: interpolation must be one of 'nearest', 'bilinear', got 'cubic'"),
    ("color", refused(color={"contrast": -1}), ValueError, "image_augment: color: contrast must be in [0, 1073741824]"),
    ("channels", lambda: ops.image_augment(X[:, :2], color={"hue": 0.1}), ValueError, "color: contrast, saturation and hue need images of 1 or 3 channels, got x (2, 2, 4, 5)"),
    ("erase", refused(erase={"boxes": [0, 0, 1, 1], "value": 0.5}), ValueError, "image_augment: erase: value must be whole numbers in [0, 255] for uint8 images"),
    ("normalize", refused(normalize={"mean": 0, "std": 0}), ValueError, "image_augment: normalize: std must not be 0"),
    ("dtype", refused(normalize={"mean": 0, "std": 1, "dtype": "uint8"}), TypeError, "normalize: dtype must be float16, bfloat16, float32 or float64, got uint8"),
    ("erase after", refused(erase_after={"boxes": [0, 0, -1, 1]}), ValueError, "image_augment: erase_after: height and width of boxes must be at least 0, got -1"),
    ("out dtype", refused(normalize={"mean": 0, "std": 1}, out=np.zeros_like(X)), TypeError, "image_augment: out must be float32, got uint8"),
    ("out shape", refused(crop={"size": 3}, out=np.zeros_like(X)), ValueError, "image_augment: out must have shape (2, 3, 3, 3)"),
    ("overlap", refused(out=X), ValueError, "image_augment: out must not share memory with x"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


# ---- the binding, which is called without the contract


def tables(**changes):
    """Right arrays of every stage for images (2, 3, 4, 5), and of them some changed."""
    made = {
        "x": X.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
        "rows": np.zeros((2, 6), np.int32), "columns": np.zeros((2, 7), np.int32), "crop_fill": np.zeros(3, np.uint8),
        "matrices": np.zeros((2, 2, 3), np.float32), "affine_fill": np.zeros(3, np.uint8),
        "factors": np.ones((2, 4), np.float32), "steps": np.zeros((2, 4), np.uint8),
        "edges": np.zeros((2, 4), np.int32), "value": np.zeros(3, np.uint8),
        "mean": np.zeros(3, np.float32), "factor": np.zeros(3, np.float32),
        "edges_after": np.zeros((2, 4), np.int32), "value_after": np.zeros(3, np.float32),
        "y": np.zeros((2, 4, 5, 3), np.float32).transpose(0, 3, 1, 2),
    }  # fmt: skip
    return made | changes


def bound(interpolation="nearest", **changes):
    def call():
        require_simt()
        arrays = tables(**changes)
        gpudl._backend._load("simt").image_augment(*arrays.values(), interpolation=interpolation)

    return call


def test_the_binding_takes_right_tables():
    bound()()


@bad_calls(
    ("x", bound(x=tables()["y"]), TypeError, "x must be one of uint8, got float32"),
    ("y", bound(y=tables()["x"]), TypeError, "y must be one of float16, bfloat16, float32, float64, got uint8"),
    ("y without a mean", bound(mean=None, factor=None), TypeError, "y must be one of uint8, got float32"),
    ("half a crop", bound(columns=None), ValueError, "image_augment: columns must be None where rows is, and only there"),
    ("half a map", bound(matrices=None), ValueError, "affine_fill must be None where matrices is"),
    ("rank", bound(rows=np.zeros(6, np.int32)), ValueError, "rows must have 2 axes"),
    ("rows", bound(rows=np.zeros((3, 6), np.int32)), ValueError, "rows must have shape (2, 6)"),
    ("columns", bound(columns=np.zeros((2, 7), np.int64)), TypeError, "columns must be one of int32, got int64"),
    ("size", bound(matrices=None, affine_fill=None), ValueError, "y must have shape (2, 3, 6, 7), the size that x has after the crop"),
    ("crop fill", bound(crop_fill=np.zeros(4, np.uint8)), ValueError, "crop_fill must have shape (3,)"),
    ("steps", bound(steps=np.zeros((2, 4), np.int32)), TypeError, "steps must be one of uint8, got int32"),
    ("edges", bound(edges=np.zeros((1, 4), np.int32)), ValueError, "edges must have shape (2, 4)"),
    ("mean", bound(mean=np.zeros(3)), TypeError, "mean must be one of float32, got float64"),
    ("value after", bound(value_after=np.zeros(3, np.uint8)), TypeError, "value_after must be one of float32, got uint8"),
    ("samples", bound(y=tables()["y"][:1]), ValueError, "y must have shape (2, 3, 4, 5), N and C of x"),
    ("interpolation", bound("cubic"), ValueError, "interpolation must be one of nearest, bilinear, got cubic"),
)  # fmt: skip
def test_bad_calls_of_the_binding(call, exception, words):
    assert_refuses(call, exception, words)

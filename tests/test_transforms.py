"""Transforms of batches: torchvision's parameters from words of each sample, whatever the batch split and workers."""

import inspect
import json
import pickle

import numpy as np
import pytest

import gpudl
from gpudl import ops
from gpudl.data import ArrayDataset, DataLoader, transforms
from gpudl.data.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    MinMax,
    Normalize,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
    Standardize,
)
from tests.support.arrays import LAYOUTS, assert_refuses, bad_calls, unmodified, with_layout
from tests.support.oracles import images as pixel_oracle
from tests.support.oracles import transforms as oracle
from tests.support.tolerances import DTYPES, assert_close

SEED = 2**40 + 3
CONTEXT = {"epoch": 2, "position": 5}
INDICES = [7, 0, 2**40, 3, 11]


def images(shape=(5, 3, 12, 10), dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, shape).astype(np.uint8) if dtype == np.uint8 else rng.random(shape).astype(dtype)
    )


def words(index, count):
    return oracle.words(SEED, index, count, **CONTEXT)


def call(transform, x, indices=INDICES):
    return transform(x, indices=np.array(indices), **CONTEXT)


def one_of_each(seed=None):
    """Every transform with arguments away from the defaults; those that are random with a seed of their own."""
    seeds = [seed] * 8 if seed is not None else list(range(8))
    return [
        RandomCrop((11, 12), padding=(1, 2), fill=(1, 2, 3), seed=seeds[0]),
        RandomHorizontalFlip(0.4, seed=seeds[1]),
        RandomVerticalFlip(0.6, seed=seeds[2]),
        RandomAffine(20, (0.2, 0.1), (0.8, 1.3), (-5, 5, 0, 9), "bilinear", 4, (3, 4), seed=seeds[3]),
        RandomRotation((-10, 40), "bilinear", center=(5, 5), fill=9, seed=seeds[4]),
        RandomResizedCrop((9, 13), (0.2, 0.9), (0.5, 1.5), antialias=False, seed=seeds[5]),
        ColorJitter(0.4, (0.2, 1.5), 0.3, 0.1, seed=seeds[6]),
        RandomErasing(0.7, (0.1, 0.4), (0.5, 2), (5, 6, 7), seed=seeds[7]),
        CenterCrop((8, 15)),
        Resize(7, "nearest"),
        Normalize((0.4, 0.5, 0.6), 0.25),
    ]


def random_ones(seed=None):
    return [transform for transform in one_of_each(seed) if isinstance(transform, transforms.RandomTransform)]


def name_of(transform):
    return type(transform).__name__


# ---- each transform: the numbers of torchvision from the words of the sample


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("flip", "axis"), [(RandomHorizontalFlip, 3), (RandomVerticalFlip, 2)], ids=["h", "v"]
)
def test_flips(executor, flip, axis, p):
    x = images()
    y = executor.numpy(call(flip(p, seed=SEED), executor.array(x)))
    for n, index in enumerate(INDICES):
        turned = next(words(index, 1)) / 2**32 < p
        assert np.array_equal(y[n], np.flip(x[n], axis - 1) if turned else x[n])


@pytest.mark.parametrize(
    ("options", "sides", "more"),
    [
        ({}, (0, 0, 0, 0), (0, 0)),
        ({"padding": 2}, (2, 2, 2, 2), (0, 0)),
        ({"padding": (1, 3), "fill": 9}, (1, 3, 1, 3), (0, 0)),
        ({"padding": [1, 0, 3, 2], "padding_mode": "edge"}, (1, 0, 3, 2), (0, 0)),
        ({"padding": 4, "padding_mode": "reflect"}, (4, 4, 4, 4), (0, 0)),
        ({"padding": 4, "padding_mode": "symmetric"}, (4, 4, 4, 4), (0, 0)),
        ({"size": (20, 9), "padding": (0, 1), "pad_if_needed": True}, (0, 1, 0, 1), (6, 0)),
    ],
    ids=str,
)
def test_random_crop(executor, options, sides, more):
    x = images()
    options = {"size": (7, 6), **options}
    size = options["size"]
    y = executor.numpy(call(RandomCrop(seed=SEED, **options), executor.array(x)))
    left, top, right, bottom = sides
    widths = ((0, 0), (top + more[0], bottom + more[0]), (left + more[1], right + more[1]))
    mode = options.get("padding_mode", "constant")
    fill = {"constant_values": options.get("fill", 0)} if mode == "constant" else {}
    for n, index in enumerate(INDICES):
        padded = np.pad(x[n], widths, mode, **fill)
        drawn = words(index, 2)
        down, across = (
            next(drawn) * (extent - length + 1) >> 32
            for extent, length in zip(padded.shape[1:], size, strict=True)
        )
        assert np.array_equal(y[n], padded[:, down : down + size[0], across : across + size[1]])


def test_center_crop():
    x = images((1, 1, 5, 8))
    assert np.array_equal(CenterCrop(3)(x), x[:, :, 1:4, 2:5])  # 2.5 is rounded to even
    assert np.array_equal(CenterCrop((4, 3))(x), x[:, :, 0:4, 2:5])  # and so is 0.5
    wide = CenterCrop((2, 11))(x)
    assert np.array_equal(wide, np.pad(x[:, :, 2:4], ((0, 0), (0, 0), (0, 0), (1, 2))))


@pytest.mark.parametrize(
    ("size", "made"), [(6, (7, 6)), ((4, 9), (4, 9)), (25, (30, 25)), (1, (1, 1))], ids=str
)
def test_resize(size, made):
    x = images()
    for options in ({}, {"antialias": False}, {"interpolation": "nearest"}):
        assert np.array_equal(Resize(size, **options)(x), ops.image_resize(x, made, **options))
    assert Resize(6)(x.transpose(0, 1, 3, 2)).shape == (5, 3, 6, 7)


@pytest.mark.parametrize(
    ("scale", "ratio", "shape"),
    [
        ((0.08, 1.0), (3 / 4, 4 / 3), (5, 3, 12, 10)),
        ((0.5, 0.6), (0.2, 0.3), (5, 1, 9, 31)),
        ((0.9, 1.0), (4, 5), (5, 1, 20, 3)),  # none fits: the middle, too narrow
        ((0.9, 1.0), (0.1, 0.2), (5, 1, 3, 20)),  # too wide
        ((2.0, 3.0), (0.5, 2.0), (5, 1, 6, 7)),  # too large: all of it
    ],
    ids=str,
)
@pytest.mark.parametrize("options", [{}, {"interpolation": "nearest"}, {"antialias": False}], ids=str)
def test_random_resized_crop(executor, scale, ratio, shape, options):
    x = images(shape)
    y = executor.numpy(call(RandomResizedCrop((4, 5), scale, ratio, seed=SEED, **options), executor.array(x)))
    boxes = [oracle.resized_box(words(index, 22), *shape[2:], scale, ratio) for index in INDICES]
    assert np.array_equal(y, ops.image_resize(x, (4, 5), boxes=boxes, **options))


AFFINES = [
    {"degrees": 30},
    {"degrees": (10, 20), "translate": (0.3, 0.1)},
    {"degrees": 0, "scale": (0.5, 2), "fill": 7},
    {"degrees": 0, "shear": 20, "interpolation": "bilinear"},
    {"degrees": 0, "shear": (5, 10), "center": (2, 9)},
    {
        "degrees": 90, "translate": (0.1, 0.2), "scale": (0.7, 0.9), "shear": (-5, 5, 10, 12),
        "interpolation": "bilinear", "fill": [1, 2, 3], "center": (4.5, 3.0),
    },
]  # fmt: skip


@pytest.mark.parametrize("options", AFFINES, ids=str)
def test_random_affine(executor, options):
    x = images()
    transform = RandomAffine(seed=SEED, **options)
    y = executor.numpy(call(transform, executor.array(x)))
    H, W = x.shape[2:]
    matrices = []
    for index in INDICES:
        drawn = words(index, 6)
        angle = oracle.uniform(next(drawn), *transform.degrees)
        a, b = options.get("translate", (0, 0))
        shift = [round(oracle.uniform(next(drawn), -most, most)) for most in (a * W, b * H)]
        scale = oracle.uniform(next(drawn), *options.get("scale", (1, 1)))
        shear = options.get("shear", 0)
        ranges = {int: (-1 * np.array(shear), shear, 0, 0), tuple: (*np.array(shear, ndmin=1), 0, 0)[:4]}
        low_x, high_x, low_y, high_y = ranges[type(shear)]
        shears = [oracle.uniform(next(drawn), *limits) for limits in ((low_x, high_x), (low_y, high_y))]
        matrices.append(oracle.affine_matrix(angle, shift, scale, shears, options.get("center"), H, W))
    assert_close(
        transform.matrices(transforms._base.Context(np.array(INDICES), **CONTEXT), H, W), np.array(matrices),
        tolerance=(1e-12, 1e-12),  # two orders of a dozen products of float64
    )  # fmt: skip
    expected = pixel_oracle.affine(
        x, matrices, (H, W), options.get("interpolation", "nearest"), options.get("fill", 0)
    )
    # The last bit of a place may choose another pixel or the other side of a half.
    assert (y != expected).mean() < 0.01


def test_directions_are_those_of_torchvision():
    """Affine turns clockwise and rotation counter-clockwise; a quarter turn moves whole pixels."""
    x = images((2, 3, 9, 9))
    assert np.array_equal(RandomAffine((90, 90))(x), np.rot90(x, -1, (2, 3)))
    assert np.array_equal(RandomRotation((90, 90))(x), np.rot90(x, 1, (2, 3)))
    assert np.array_equal(RandomRotation((90, 90), center=(4.5, 4.5))(x), np.rot90(x, 1, (2, 3)))
    assert not np.array_equal(RandomRotation((90, 90), center=(0, 0))(x), np.rot90(x, 1, (2, 3)))


@pytest.mark.parametrize(
    "options",
    [
        {"brightness": 0.4, "contrast": 0.5, "saturation": 0.6, "hue": 0.2},
        {"brightness": 3},  # clipped at 0
        {"contrast": (0.2, 0.3), "hue": (-0.5, 0.1)},
        {"saturation": [1.5, 1.6]},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_color_jitter(executor, channels, options):
    x = images((5, channels, 6, 7))
    y = executor.numpy(call(ColorJitter(seed=SEED, **options), executor.array(x)))
    names = ("brightness", "contrast", "saturation", "hue")
    factors, order = {name: [] for name in options}, []
    permutations = transforms.color._ORDERS
    assert sorted(map(tuple, permutations)) == sorted({tuple(row) for row in permutations})
    assert len(permutations) == 24
    for index in INDICES:
        drawn = words(index, 5)
        order.append(permutations[next(drawn) * 24 >> 32])
        for name in names:
            value, middle = options.get(name, 0), 0 if name == "hue" else 1
            low, high = value if isinstance(value, tuple | list) else (middle - value, middle + value)
            low = low if name == "hue" else max(low, 0)
            factor = oracle.uniform(next(drawn), low, high)
            if name in options:
                factors[name].append(factor)
    assert np.array_equal(y, pixel_oracle.color(x, factors, order))


@pytest.mark.parametrize(
    ("p", "scale", "ratio", "shape"),
    [
        (0.5, (0.02, 0.33), (0.3, 3.3), (5, 3, 12, 10)),
        (1.0, (0.3, 0.9), (0.1, 9.0), (5, 1, 8, 31)),
        (1.0, (1.0, 1.0), (1.0, 1.0), (5, 2, 6, 6)),  # never smaller than the image
        (0.0, (0.02, 0.33), (0.3, 3.3), (5, 3, 5, 5)),
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [0, 77])
def test_random_erasing(executor, p, scale, ratio, shape, value):
    x = images(shape)
    y = executor.numpy(call(RandomErasing(p, scale, ratio, value, seed=SEED), executor.array(x)))
    boxes = [oracle.erased_box(words(index, 23), *shape[2:], p, scale, ratio) for index in INDICES]
    assert np.array_equal(y, pixel_oracle.erase(x, [box or (0, 0, 0, 0) for box in boxes], value))


@pytest.mark.parametrize("dtype", [None, *DTYPES], ids=str)
def test_normalize(executor, dtype):
    mean, std = (0.4, 0.5, 0.6), np.array([0.2, 0.3, 0.4])
    x = images()
    y = executor.numpy(Normalize(mean, std, dtype=dtype)(executor.array(x)))
    assert y.dtype == (dtype or np.float32)
    assert_close(y, pixel_oracle.normalize(x / 255, mean, std))
    floats = images(dtype=np.float64)
    assert_close(executor.numpy(Normalize(mean, std, dtype=dtype)(executor.array(floats))),
                 pixel_oracle.normalize(floats, mean, std))  # fmt: skip
    unit = Normalize(0, 1)(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16))
    assert unit.min() == 0
    assert_close(unit.ravel(), np.arange(256) / 255)


# ---- fitted


@pytest.mark.parametrize("dtype", [np.dtype(np.uint8), *DTYPES], ids=str)
def test_fitted_numbers(dtype):
    x = images((40, 3, 5, 7), dtype)
    exact = x.astype(np.float64)
    standardize, scale = Standardize().fit(x), MinMax().fit(x)
    axes = (0, 2, 3)
    tolerance = (1e-13, 0)  # two float64 sums of 1400 terms in different orders
    assert_close(np.array(standardize.state_dict()["mean"]), exact.mean(axis=axes), tolerance=tolerance)
    assert_close(np.array(standardize.state_dict()["std"]), exact.std(axis=axes), tolerance=tolerance)
    assert scale.state_dict() == {"min": exact.min(axis=axes).tolist(), "max": exact.max(axis=axes).tolist()}
    made = np.float32 if dtype == np.uint8 else dtype
    y, z = standardize(x), scale(x)
    assert y.dtype == z.dtype == made
    mean, std = exact.mean(axis=axes), exact.std(axis=axes)
    low, high = exact.min(axis=axes), exact.max(axis=axes)
    assert_close(y, pixel_oracle.normalize(x, mean, std))
    assert_close(z, pixel_oracle.normalize(x, low, high - low))
    assert Standardize(dtype=np.float16).fit(x)(x).dtype == np.float16


def test_fitted_to_uint8_does_not_depend_on_order_or_form():
    x = images((300, 2, 3, 5))
    expected = Standardize().fit(x).state_dict()
    shuffled = x[np.random.default_rng(1).permutation(300)]
    labels = np.arange(300)
    for form in (shuffled, shuffled[:, :, ::-1], ArrayDataset(shuffled), ArrayDataset(x, labels), list(x)):
        assert Standardize().fit(form).state_dict() == expected
        assert MinMax().fit(form).state_dict() == MinMax().fit(x).state_dict()


def test_fitted_to_parts_of_very_different_size_and_mean():
    x = np.concatenate([1e4 + images((257, 1, 2, 2), np.float64), images((1, 1, 2, 2), np.float64)])
    state = Standardize().fit(ArrayDataset(x)).state_dict()
    assert_close(np.array(state["mean"]), x.mean(axis=(0, 2, 3)), tolerance=(1e-12, 0))
    assert_close(np.array(state["std"]), x.std(axis=(0, 2, 3)), tolerance=(1e-12, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_channel_of_one_value_becomes_zero(dtype):
    x = images((50, 2, 3, 3), dtype)
    x[:, 1] = np.float32(0.1) if dtype == np.float32 else 9
    for fitted in (Standardize(), MinMax()):
        y = fitted.fit(x)(x)
        assert abs(y[:, 1]).max() <= 1e-7  # the mean of equal values may be rounded
        assert np.isfinite(y).all()
        assert abs(y[:, 0]).max() > 0.9


@pytest.mark.parametrize("kind", [Standardize, MinMax])
def test_state_goes_through_json(kind):
    x = images()
    fitted = kind().fit(x)
    other = kind()
    other.load_state_dict(json.loads(json.dumps(fitted.state_dict())))
    assert other.state_dict() == fitted.state_dict()
    assert other(x).tobytes() == fitted(x).tobytes()
    assert repr(other) == repr(fitted)
    assert pickle.loads(pickle.dumps(fitted))(x).tobytes() == fitted(x).tobytes()
    assert_refuses(lambda: other.load_state_dict({"mean": [1]}), ValueError, "state must have the keys")
    first, second = kind.names
    assert_refuses(
        lambda: other.load_state_dict({first: [1.0], second: [1.0, 2.0]}),
        ValueError,
        f"{second} must be 1 numbers",
    )
    assert other.state_dict() == fitted.state_dict()


# ---- what all of them promise


@pytest.mark.parametrize("transform", one_of_each(), ids=name_of)
@pytest.mark.parametrize("dtype", [np.dtype(np.uint8), *DTYPES], ids=str)
def test_a_sample_does_not_depend_on_its_batch(transform, dtype):
    x, indices = images((9, 3, 12, 10), dtype), np.arange(100, 109)
    whole = transform(x, indices=indices, epoch=3)
    order = np.random.default_rng(1).permutation(9)
    assert transform(x[order], indices=indices[order], epoch=3).tobytes() == whole[order].tobytes()
    for n in range(9):
        one = transform(x[n : n + 1], indices=indices[n : n + 1], epoch=3)
        assert one.tobytes() == whole[n : n + 1].tobytes()
    empty = transform(x[:0], indices=indices[:0])
    assert empty.shape == (0, *whole.shape[1:])
    assert transform(x[:2]).tobytes() == transform(x[:2], indices=[0, 1], epoch=0, position=0).tobytes()


@pytest.mark.parametrize("transform", one_of_each(), ids=name_of)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_inputs_unmodified(transform, layout):
    x = with_layout(images(), layout)
    plain = np.array(x)
    with unmodified(x):
        y = transform(x)
    assert y.tobytes() == transform(plain).tobytes()
    assert not np.may_share_memory(x, y)


@pytest.mark.parametrize("transform", random_ones(), ids=name_of)
def test_seed_epoch_position_and_sample_each_count(transform):
    x = np.repeat(images((1, 3, 12, 10)), 64, axis=0)
    base = transform(x)
    assert len({sample.tobytes() for sample in base}) > 1
    twin = pickle.loads(pickle.dumps(transform))
    assert twin(x).tobytes() == base.tobytes()
    assert transform(x, epoch=1).tobytes() != base.tobytes()
    assert transform(x, position=1).tobytes() != base.tobytes()
    assert transform(x, epoch=1).tobytes() != transform(x, position=1).tobytes()
    assert transform(x, indices=np.arange(64) + 64).tobytes() != base.tobytes()
    twin.seed += 1
    assert twin(x).tobytes() != base.tobytes()


def test_words_never_meet_those_of_layers():
    """A mask of dropout with the same seed takes streams from 0 on; transforms those from 2^63 on."""
    context = transforms._base.Context(np.arange(3), 0, 0)
    drawn = RandomErasing(seed=5).draw(context, 4)._words.ravel()
    for stream in range(3):
        assert not np.array_equal(drawn, ops.philox_uint32(5, stream, 0, 12))
    assert np.array_equal(drawn, ops.philox_uint32(5, 1 << 63, 0, 12))


def test_seeds_come_from_the_default_generator_or_the_given_one():
    gpudl.manual_seed(3)
    first = [transform.seed for transform in (RandomHorizontalFlip(), RandomRotation(3))]
    gpudl.manual_seed(3)
    assert [transform.seed for transform in (RandomHorizontalFlip(), RandomRotation(3))] == first
    assert first[0] != first[1]
    generator = gpudl.random.Generator(9)
    seeds = [RandomErasing(seed=generator).seed, RandomErasing(seed=generator).seed]
    assert seeds[0] != seeds[1]
    assert RandomErasing(seed=gpudl.random.Generator(9)).seed == seeds[0]
    assert RandomErasing(seed=2**64 - 1)(images()).shape == (5, 3, 12, 10)


def test_shares_and_means_of_what_is_drawn():
    """Bounds of six standard errors of 20,000 draws."""
    count = 20_000
    flipped = RandomHorizontalFlip(0.3, seed=0)(np.tile(np.array([0, 1], np.uint8), (count, 1, 1, 1)))
    assert abs((flipped[:, 0, 0, 0] == 1).mean() - 0.3) < 6 * np.sqrt(0.21 / count)
    x = np.zeros((count, 1, 6, 6), np.uint8)
    context = transforms._base.Context(np.arange(count), 0, 0)
    places = RandomCrop(2, seed=0)(np.broadcast_to(np.arange(36, dtype=np.uint8).reshape(6, 6), x.shape))
    corners = np.bincount(places[:, 0, 0, 0], minlength=36).reshape(6, 6)[:5, :5] / count
    assert abs(corners - 1 / 25).max() < 6 * np.sqrt(1 / 25 / count)
    erased = (RandomErasing(0.4, value=1, seed=0)(x) == 1).any(axis=(1, 2, 3)).mean()
    assert abs(erased - 0.4) < 6 * np.sqrt(0.24 / count)
    numbers = RandomErasing(seed=0).draw(context, 2)
    uniform = numbers.uniform(-1, 3)
    assert abs(uniform.mean() - 1) < 6 * np.sqrt(16 / 12 / count)
    orders = np.bincount(numbers.below(24), minlength=24) / count
    assert abs(orders - 1 / 24).max() < 6 * np.sqrt(1 / 24 / count)


def test_compose_gives_each_its_position():
    x = images()
    flips = [RandomHorizontalFlip(seed=1), RandomHorizontalFlip(seed=1)]
    indices = np.arange(50, 55)
    expected = flips[1](flips[0](x, indices=indices, epoch=4), indices=indices, epoch=4, position=1)
    assert np.array_equal(Compose(flips)(x, indices=indices, epoch=4), expected)
    nested = Compose([Compose(flips), lambda y: y, Compose([RandomErasing(1, seed=1)])])
    assert nested.span == 4
    erased = RandomErasing(1, seed=1)(expected, indices=indices, epoch=4, position=3)
    assert np.array_equal(nested(x, indices=indices, epoch=4), erased)
    assert np.array_equal(Compose([])(x), x)


def test_compose_calls_functions():
    x = images()
    seen = []

    def plain(y):
        return y + 1

    def told(y, *, indices, epoch):
        seen.append((indices.tolist(), epoch))
        return y

    def anything(y, **keywords):
        seen.append(sorted(keywords))
        return y

    y = Compose([plain, told, anything])(x, indices=[4, 3, 2, 1, 0], epoch=6)
    assert np.array_equal(y, x + 1)
    assert seen == [([4, 3, 2, 1, 0], 6), ["epoch", "indices"]]


@pytest.mark.parametrize(
    "crew", [{"num_workers": 2}, {"num_workers": 2, "workers": "processes"}, {"num_workers": 3, "prefetch_factor": 1}], ids=str
)  # fmt: skip
def test_the_same_images_for_any_workers(crew):
    data = ArrayDataset(images((23, 3, 12, 10)), np.arange(23))

    def epochs(options):
        loader = DataLoader(data, 4, shuffle=True, generator=5, transform=Compose(one_of_each()), **options)
        return [[(x.tobytes(), y.tolist()) for x, y in loader] for _ in range(2)]

    expected = epochs({})
    assert epochs(crew) == expected
    assert expected[0] != expected[1]


def test_the_same_images_for_any_batch_size():
    data = ArrayDataset(images((23, 3, 12, 10)))
    transform = Compose(one_of_each())
    batches = [
        np.concatenate([x for (x,) in DataLoader(data, size, transform=transform)]) for size in (1, 5, 23)
    ]
    assert batches[0].tobytes() == batches[1].tobytes() == batches[2].tobytes()


@pytest.mark.parametrize("transform", [*one_of_each(), Standardize(), MinMax()], ids=name_of)
def test_arguments_are_attributes_and_in_the_repr(transform):
    text = repr(transform)
    assert text.startswith(f"{name_of(transform)}(")
    for name in inspect.signature(type(transform).__init__).parameters:
        if name != "self":
            assert f"{name}={getattr(transform, name)!r}" in text
    assert type(transform).__doc__


def test_repr_can_be_read_back():
    transform = RandomAffine(30, scale=(0.5, 2), seed=4)
    assert repr(eval(repr(transform), vars(transforms))) == repr(transform)
    assert repr(Compose([Compose([CenterCrop(3)]), Resize(4)])) == (
        "Compose(\n    Compose(\n        CenterCrop(size=(3, 3))\n    )\n"
        "    Resize(size=4, interpolation='bilinear', antialias=True)\n)"
    )


X = images()


@bad_calls(
    ("p", lambda: RandomHorizontalFlip(1.5), ValueError, "RandomHorizontalFlip: p must be a finite number in [0, 1], got 1.5"),
    ("seed", lambda: RandomVerticalFlip(seed="a"), TypeError, "RandomVerticalFlip: seed must be a seed (int), a gpudl.random.Generator or None, got str"),
    ("seed range", lambda: RandomErasing(seed=-1), ValueError, "RandomErasing: seed as a seed must be in [0, 2^64), got -1"),
    ("rank", lambda: CenterCrop(2)(X[0]), ValueError, "CenterCrop: x must have shape (N, C, H, W)"),
    ("no array", lambda: Compose([])([1]), TypeError, "Compose: x must be a NumPy or CuPy array, got list"),
    ("dtype", lambda: Resize(2)(X.astype(int)), TypeError, "Resize: x must be uint8"),
    ("indices", lambda: RandomHorizontalFlip()(X, indices=[1]), ValueError, "RandomHorizontalFlip: indices must have shape (5,), one number for each image, got (1,)"),
    ("float indices", lambda: Resize(3)(X, indices=np.zeros(5)), TypeError, "Resize: indices must be ints, got float64"),
    ("epoch", lambda: Resize(3)(X, epoch=-1), ValueError, "Resize: epoch must be at least 0, got -1"),
    ("late epoch", lambda: Resize(3)(X, epoch=2**48), ValueError, "epoch must be below 281474976710656"),
    ("position", lambda: Compose([Resize(3), Resize(3)])(X, position=2**15 - 1), ValueError, "Compose: position must be below 32767, got 32767"),
    ("compose", lambda: Compose([Resize(3), 4]), TypeError, "Compose: transforms must be callable, number 1 is int"),
    ("crop size", lambda: RandomCrop((1, 0)), ValueError, "RandomCrop: size must be at least 1, got 0"),
    ("crop padding", lambda: RandomCrop(3, padding=(1, 2, 3)), ValueError, "RandomCrop: padding must be an int or 2 or 4 ints, got (1, 2, 3)"),
    ("crop mode", lambda: RandomCrop(3, padding_mode="wrap"), ValueError, "RandomCrop: padding_mode must be one of"),
    ("crop flag", lambda: RandomCrop(3, pad_if_needed=2), ValueError, "pad_if_needed must be one of True, False, got 2"),
    ("crop large", lambda: RandomCrop(12, padding=(0, 1))(X), ValueError, "RandomCrop: size (12, 12) is larger than the images, whose width with padding is 10"),
    ("fill", lambda: RandomCrop(3, fill="red"), TypeError, "RandomCrop: fill must be a number, got str"),
    ("fill channels", lambda: RandomCrop(3, fill=(1, 2))(X), ValueError, "fill must have shape () or (3,), got (2,)"),
    ("resize", lambda: Resize(2.5), TypeError, "Resize: size must be an int, got float"),
    ("resize nothing", lambda: Resize(2)(X[:, :, :0]), ValueError, "Resize: images must have pixels, got (0, 10)"),
    ("interpolation", lambda: Resize(2, "bicubic"), ValueError, "Resize: interpolation must be one of 'nearest', 'bilinear'"),
    ("scale", lambda: RandomResizedCrop(3, scale=(0.5, 0.1)), ValueError, "RandomResizedCrop: scale must be (low, high), got (0.5, 0.1)"),
    ("ratio", lambda: RandomResizedCrop(3, ratio=(0, 1)), ValueError, "RandomResizedCrop: ratio must be above 0"),
    ("crop nothing", lambda: RandomResizedCrop(3)(X[:, :, :, :0]), ValueError, "RandomResizedCrop: images must have pixels"),
    ("degrees", lambda: RandomAffine(-1), ValueError, "RandomAffine: degrees must be a finite number in [0,"),
    ("translate", lambda: RandomAffine(1, translate=(0, 2)), ValueError, "RandomAffine: translate must be a finite number in [0, 1], got 2"),
    ("translate count", lambda: RandomAffine(1, translate=0.1), ValueError, "RandomAffine: translate must be 2 numbers, got 0.1"),
    ("affine scale", lambda: RandomAffine(1, scale=(-1, 1)), ValueError, "RandomAffine: scale must be above 0"),
    ("shear", lambda: RandomAffine(1, shear=(1, 2, 3)), ValueError, "RandomAffine: shear must be 2 numbers, got (1, 2, 3)"),
    ("shear order", lambda: RandomAffine(1, shear=(1, 2, 3, 2)), ValueError, "RandomAffine: shear must be (low, high), got (3, 2)"),
    ("center", lambda: RandomRotation(1, center=3), ValueError, "RandomRotation: center must be 2 numbers, got 3"),
    ("brightness", lambda: ColorJitter(-0.1), ValueError, "ColorJitter: brightness must be a finite number in [0, inf], got -0.1"),
    ("hue", lambda: ColorJitter(hue=0.6), ValueError, "ColorJitter: hue must be a finite number in [0, 0.5], got 0.6"),
    ("hue range", lambda: ColorJitter(hue=(-0.6, 0)), ValueError, "ColorJitter: hue must be a finite number in [-0.5, 0.5], got -0.6"),
    ("jitter channels", lambda: ColorJitter(contrast=1)(X[:, :2]), ValueError, "need images of 1 or 3 channels"),
    ("erase scale", lambda: RandomErasing(scale=(0, 2)), ValueError, "RandomErasing: scale must be a finite number in [0, 1], got 2"),
    ("erase value", lambda: RandomErasing(value="random"), TypeError, "RandomErasing: value must be a number, got str"),
    ("std", lambda: Normalize(0, (1, 0)), ValueError, "Normalize: std must not be 0, got (1, 0)"),
    ("mean", lambda: Normalize(None, 1), TypeError, "Normalize: mean must be a number, got NoneType"),
    ("result", lambda: Normalize(0, 1, dtype=int), TypeError, "Normalize: dtype must be float16, bfloat16, float32 or float64, got int64"),
    ("unfitted", lambda: Standardize()(X), RuntimeError, "Standardize: not fitted; call fit(images) or load_state_dict(state) first"),
    ("unfitted state", lambda: MinMax().state_dict(), RuntimeError, "MinMax: not fitted"),
    ("fit nothing", lambda: MinMax().fit(X[:0]), ValueError, "MinMax: fit needs at least one pixel, got none"),
    ("fit NaN", lambda: MinMax().fit(np.full((1, 1, 2, 2), np.nan)), ValueError, "MinMax: fit needs finite values, got NaN or inf in channel 0"),
    ("fit what", lambda: MinMax().fit(3), TypeError, "MinMax: fit: dataset must have __len__ and __getitem__"),
    ("fit mixed", lambda: MinMax().fit([X[0]] * 256 + [X[0, :2]]), ValueError, "MinMax: all images must have as many channels and one kind of dtype, got 3 and 2 channels"),
    ("fitted channels", lambda: MinMax().fit(X)(X[:, :1]), ValueError, "MinMax: fitted to 3 channels, got images (5, 1, 12, 10)"),
    ("fitted dtype", lambda: MinMax(dtype="uint8"), TypeError, "MinMax: dtype must be float16"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

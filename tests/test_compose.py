"""A Compose makes one call of neighbours, and its images are those of one transform after the other, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpudl
from gpudl import ops
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
    Transform,
)
from tests.support.arrays import assert_refuses
from tests.support.kernels import require_simt

INDICES = np.array([4, 0, 2**40, 9])
OPERATORS = tuple(name for name in ops.__all__ if name.startswith("image_"))


def images(channels=3, dtype=np.uint8, size=(12, 10)):
    drawn = np.random.default_rng(0).integers(0, 256, (4, channels, *size)).astype(np.uint8)
    return drawn if dtype == np.uint8 else (drawn / 255).astype(dtype)


def plus_one(x):
    return x + np.ones((), x.dtype)


def fitted(kind):
    return kind().fit(images())


# Transforms with a seed, whose numbers differ from sample to sample.
MAKERS = {
    "horizontal flip": lambda seed: RandomHorizontalFlip(seed=seed),
    "vertical flip": lambda seed: RandomVerticalFlip(0.4, seed=seed),
    "crop": lambda seed: RandomCrop((9, 11), padding=(2, 3), fill=40, seed=seed),
    "reflecting crop": lambda seed: RandomCrop(8, padding=4, padding_mode="reflect", pad_if_needed=True, seed=seed),
    "edge crop": lambda seed: RandomCrop((10, 7), 5, padding_mode="edge", pad_if_needed=True, seed=seed),
    "center crop": lambda seed: CenterCrop((7, 13)),
    "affine": lambda seed: RandomAffine(25, (0.2, 0.1), (0.7, 1.3), 8, "bilinear", 90, seed=seed),
    "rotation": lambda seed: RandomRotation(60, fill=7, seed=seed),
    "jitter": lambda seed: ColorJitter(0.4, 0.5, 0.3, 0.2, seed=seed),
    "brightness": lambda seed: ColorJitter(0.4, seed=seed),
    "erasing": lambda seed: RandomErasing(0.8, (0.1, 0.4), (0.5, 2), 3, seed=seed),
    "normalize": lambda seed: Normalize(0.4, 0.3),
    "half": lambda seed: Normalize(0.5, 0.2, dtype=np.float16),
    "standardize": lambda seed: fitted(Standardize),
    "resize": lambda seed: Resize((11, 9)),
    "resized crop": lambda seed: RandomResizedCrop((9, 8), (0.3, 0.9), seed=seed),
    "function": lambda seed: plus_one,
    "nested": lambda seed: Compose([RandomHorizontalFlip(seed=seed), RandomCrop(9, 3, seed=seed)]),
}  # fmt: skip


def made(names):
    return [MAKERS[name](seed) for seed, name in enumerate(names)]


def one_by_one(transforms, x, *, epoch=0, position=0):
    """What Compose says that it does."""
    for transform in transforms:
        if isinstance(transform, Compose):
            x = one_by_one(transform.transforms, x, epoch=epoch, position=position)
            position += len(transform.transforms)
            continue
        if isinstance(transform, Transform):
            x = transform(x, indices=INDICES, epoch=epoch, position=position)
        else:
            x = transform(x)
        position += 1
    return x


def same_bits(a, b):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    assert a.tobytes() == b.tobytes()


def assert_composes(transforms, x):
    expected = one_by_one(transforms, x, epoch=3, position=2)
    same_bits(Compose(transforms)(x, indices=INDICES, epoch=3, position=2), expected)
    require_simt()
    with gpudl.use_backend("simt"):
        same_bits(Compose(transforms)(x, indices=INDICES, epoch=3, position=2), expected)


@given(
    names=st.lists(st.sampled_from(sorted(MAKERS)), max_size=7),
    dtype=st.sampled_from([np.uint8, np.uint8, np.float32]),
)
def test_any_composition(names, dtype):
    assert_composes(made(names), images(dtype=dtype))


STAGES = [
    ["horizontal flip", "vertical flip", "crop", "reflecting crop", "edge crop", "center crop"],
    ["horizontal flip", "vertical flip"],
    ["affine", "rotation"],
    ["jitter", "brightness"],
    ["erasing"],
    ["normalize", "half", "standardize"],
    ["erasing"],
]


@given(names=st.tuples(*(st.none() | st.sampled_from(stage) for stage in STAGES)))
def test_any_composition_in_the_order_of_the_one_pass(names):
    assert_composes(made([name for name in names if name is not None]), images())


@given(
    names=st.lists(st.sampled_from(STAGES[0]), max_size=4),
    channels=st.sampled_from([1, 2, 3]),
    size=st.tuples(st.integers(9, 15), st.integers(11, 15)),
)
def test_any_crops_and_flips(names, channels, size):
    assert_composes(made(names), images(channels, size=size))


@pytest.fixture
def called(monkeypatch):
    """The names of the operators that were called, in their order."""
    names = []

    def recording(name, function):
        def call(*arguments, **named):
            names.append(name)
            return function(*arguments, **named)

        return call

    for name in OPERATORS:
        monkeypatch.setattr(ops, name, recording(name, getattr(ops, name)))
    return names


ONE, AFFINE, COLOR, CROP = "image_augment", "image_affine", "image_color", "image_crop"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["horizontal flip"], [CROP]),
        (["horizontal flip", "vertical flip"], [ONE]),
        (["horizontal flip", "crop", "vertical flip", "horizontal flip"], [ONE]),
        (["crop", "horizontal flip", "center crop"], [ONE, CROP]),
        (["crop", "horizontal flip", "rotation", "jitter", "erasing", "normalize", "erasing"], [ONE]),
        (["affine", "crop", "horizontal flip", "jitter", "erasing", "standardize"], [AFFINE, ONE]),
        (["jitter", "function", "jitter", "normalize"], [COLOR, ONE]),
        (["jitter", "resize", "brightness"], [COLOR, "image_resize", COLOR]),
        (["normalize", "erasing"], [ONE]),
        (["normalize", "erasing", "erasing"], [ONE, "image_erase"]),
        (["erasing", "erasing", "erasing"], [ONE, "image_erase"]),
        (["normalize", "jitter", "horizontal flip"], ["image_normalize", COLOR, CROP]),
        (["nested", "horizontal flip", "jitter"], [ONE, ONE]),
    ],
    ids=str,
)
def test_runs(called, names, expected):
    Compose(made(names))(images(), indices=INDICES)
    assert called == expected


def test_floating_images_go_one_by_one(called):
    Compose(made(["horizontal flip", "jitter", "normalize"]))(images(dtype=np.float64), indices=INDICES)
    assert called == ["image_crop", "image_color", "image_normalize"]


def test_a_subclass_that_does_more_is_called(called):
    seen = []

    class Noted(RandomHorizontalFlip):
        def apply(self, images, context):
            seen.append("apply")
            return super().apply(images, context)

    class Asked(RandomHorizontalFlip):
        def __call__(self, images, **context):
            seen.append("call")
            return super().__call__(images, **context)

    x = images()
    patched = RandomHorizontalFlip(seed=3)
    patched.apply = lambda images, context: seen.append("patched") or images
    transforms = [RandomVerticalFlip(seed=0), Noted(seed=1), Asked(seed=2), patched, ColorJitter(0.2, seed=4)]
    y = Compose(transforms)(x, indices=INDICES)
    assert seen == ["apply", "call", "patched"]
    assert called == ["image_crop", "image_crop", "image_crop", "image_color"]
    transforms.pop(3)  # it changes nothing, but for the position of the next
    same_bits(ColorJitter(0.2, seed=4)(one_by_one(transforms[:3], x), indices=INDICES, position=4), y)


def test_a_transform_of_ones_own_may_be_an_operator(called):
    class Brighter(Transform):
        operator = "image_color"

        def arguments(self, images, context):
            assert images.shape == (4, 3, 7, 13)
            assert images.dtype == np.uint8
            return {"brightness": 1 + context.indices / 2**41}

    chain = [CenterCrop((7, 13)), Brighter(), Normalize(0, 1)]
    y = Compose(chain)(images(), indices=INDICES)
    assert called == [ONE]
    same_bits(y, one_by_one(chain, images()))
    assert_refuses(lambda: Transform()(images()), NotImplementedError, "Transform does not define apply")
    Brighter.arguments = Transform.arguments
    assert_refuses(lambda: Brighter()(images()), NotImplementedError, "Brighter does not define arguments")


def test_what_is_wrong_is_said_by_the_transform():
    x = images()
    chain = [RandomHorizontalFlip(seed=0), RandomCrop(20, seed=1)]
    assert_refuses(
        lambda: Compose(chain)(x), ValueError, "RandomCrop: size (20, 20) is larger than the images"
    )
    chain[1] = RandomCrop(5, fill=(1, 2), seed=1)
    assert_refuses(
        lambda: Compose(chain)(x), ValueError, "image_augment: crop: fill must have shape () or (3,)"
    )
    chain[1] = MinMax()
    assert_refuses(lambda: Compose(chain)(x), RuntimeError, "MinMax: not fitted")
    after = [lambda y: y.tolist(), RandomHorizontalFlip(seed=0)]
    assert_refuses(
        lambda: Compose(after)(x),
        TypeError,
        "RandomHorizontalFlip: x must be a NumPy or CuPy array, got list",
    )
    after[0] = lambda y: y[:2]
    assert_refuses(
        lambda: Compose(after)(x), ValueError, "RandomHorizontalFlip: indices must have shape (2,)"
    )
    after[0] = lambda y: y.astype(int)
    assert_refuses(lambda: Compose(after)(x), TypeError, "RandomHorizontalFlip: x must be uint8, float16")


def test_no_samples():
    chain = made(["crop", "horizontal flip", "affine", "jitter", "erasing", "half", "erasing"])
    y = Compose(chain)(images()[:0])
    assert (y.shape, y.dtype) == ((0, 3, 9, 11), np.float16)


def test_nothing_is_shared_and_inputs_stay():
    x = images()
    before = x.copy()
    for names in (["horizontal flip", "vertical flip"], ["center crop", "normalize"]):
        assert not np.may_share_memory(Compose(made(names))(x), x)
    assert np.array_equal(x, before)

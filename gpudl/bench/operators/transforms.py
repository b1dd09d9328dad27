"""Transforms of uint8 batches, channels-last, against PyTorch's tensor operators that do the same.

PyTorch has no batch transforms with numbers of each sample (torchvision draws once for a batch), so the reference is
what its users write: gathers by index, `grid_sample`, `interpolate`, and arithmetic. Numbers are drawn before.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, operator

Shape = tuple[int, int, int, int]
SHAPES: list[Shape] = [(128, 3, 32, 32), (32, 3, 224, 224)]
AUGMENTED: list[Shape] = [(256, 3, 32, 32), (32, 3, 224, 224)]
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
PADDING = 4
# Of the largest pixel. A value that lies between two whole numbers may go either way; PyTorch's resizing of uint8
# also rounds weights to 16 bits and the result of the first of its two passes to whole numbers.
LAST_BIT, TWO_BITS = 1 / 250, 2 / 200
TWO_BITS_NORMALIZED = (
    2 / 100
)  # two whole numbers over the largest normalised pixel: 2 / 255 / 0.24 / 2, with room
COLORS = 0.4  # brightness, contrast and saturation are from 1 - COLORS to 1 + COLORS
GREY = (0.2989, 0.587, 0.114)  # of red, green and blue


def _problem(
    name: str, words: str, shape: Shape, moved: float, settings: dict[str, Any], tolerance: float
) -> Problem:
    """moved : bytes. settings : numbers of the samples too, which come from the host as in training."""

    def inputs(rng: np.random.Generator) -> Inputs:
        n, c, h, w = shape
        return {"x": rng.integers(0, 256, (n, h, w, c), dtype=np.uint8).transpose(0, 3, 1, 2)}

    return Problem(
        name, f"{shape}{words}", inputs, Work(bytes=moved), settings, tolerance=tolerance, dtypes=("float32",),
        quick=shape == SHAPES[0],
    )  # fmt: skip


def _flips(shape: Shape) -> np.ndarray:
    return np.random.default_rng(0).random(shape[0]) < 0.5


def _starts(shape: Shape) -> np.ndarray:
    """Rows and columns where windows begin: (2, N)."""
    return np.random.default_rng(0).integers(-PADDING, PADDING + 1, (2, shape[0]))


def _boxes(shape: Shape) -> np.ndarray:
    """A box of a third of the height and width in each sample."""
    n, _, h, w = shape
    rng = np.random.default_rng(0)
    top, left = rng.integers(0, h - h // 3 + 1, n), rng.integers(0, w - w // 3 + 1, n)
    return np.stack([top, left, np.full(n, h // 3), np.full(n, w // 3)], axis=1)


def _colors(shape: Shape) -> dict[str, np.ndarray]:
    factors = np.random.default_rng(0).uniform(1 - COLORS, 1 + COLORS, (3, shape[0]))
    return dict(zip(("brightness", "contrast", "saturation"), factors, strict=True))


def flip_problem(shape: Shape) -> Problem:
    settings = {"top": 0, "left": 0, "flip_horizontal": _flips(shape)}
    return _problem("image_crop", ", flip", shape, 2 * math.prod(shape), settings, 0)


def crop_problem(shape: Shape) -> Problem:
    top, left = _starts(shape)
    settings = {"top": top, "left": left, "flip_horizontal": False}
    return _problem("image_crop", f", padding {PADDING}", shape, 2 * math.prod(shape), settings, 0)


def normalize_problem(shape: Shape) -> Problem:
    return _problem(
        "image_normalize", "", shape, (1 + 4) * math.prod(shape), {"mean": MEAN, "std": STD}, 1e-4
    )


def affine_problem(shape: Shape) -> Problem:
    """settings : matrices of places from -1 to 1, as PyTorch has them, and of pixels."""
    n, _, h, w = shape
    unit = np.eye(2, 3) + np.random.default_rng(0).uniform(-0.2, 0.2, (n, 2, 3))
    to_unit = np.array([[2 / w, 0, 1 / w - 1], [0, 2 / h, 1 / h - 1], [0, 0, 1]])
    from_unit = np.array([[w / 2, 0, (w - 1) / 2], [0, h / 2, (h - 1) / 2]])
    last = np.broadcast_to([[[0, 0, 1]]], (n, 1, 3))
    settings = {"matrices": from_unit @ np.concatenate([unit, last], axis=1) @ to_unit, "theta": unit}
    return _problem("image_affine", ", bilinear", shape, 2 * math.prod(shape), settings, LAST_BIT)


def resize_problem(shape: Shape, size: tuple[int, int]) -> Problem:
    moved = math.prod(shape) + math.prod((*shape[:2], *size))
    return _problem("image_resize", f" to {size}", shape, moved, {"size": size}, TWO_BITS)


def erase_problem(shape: Shape) -> Problem:
    return _problem("image_erase", "", shape, 2 * math.prod(shape), {"boxes": _boxes(shape)}, 0)


def color_problem(shape: Shape) -> Problem:
    """The mean that contrast needs is known after the image was read once: a second time it may come from a cache."""
    return _problem("image_color", "", shape, 2 * math.prod(shape), _colors(shape), TWO_BITS)


def augment_problem(shape: Shape) -> Problem:
    """A whole augmentation, from uint8 to normalised float32, of which nothing between has to cross memory."""
    top, left = _starts(shape)
    settings = {
        "top": top, "left": left, "flip_horizontal": _flips(shape), **_colors(shape), "boxes": _boxes(shape),
        "mean": MEAN, "std": STD,
    }  # fmt: skip
    words = ", crop, flip, colour, erasing, normalisation"
    moved = (1 + 4) * math.prod(shape)
    return _problem("image_augment", words, shape, moved, settings, TWO_BITS_NORMALIZED)


@operator("image_crop", family="transforms")
def crop_problems() -> Iterator[Problem]:
    for shape in SHAPES:
        yield flip_problem(shape)
        yield crop_problem(shape)


@operator("image_normalize", family="transforms")
def normalize_problems() -> Iterator[Problem]:
    yield from map(normalize_problem, SHAPES)


@operator("image_affine", family="transforms")
def affine_problems() -> Iterator[Problem]:
    yield from map(affine_problem, SHAPES)


@operator("image_resize", family="transforms")
def resize_problems() -> Iterator[Problem]:
    for shape in SHAPES:
        h, w = shape[2:]
        yield resize_problem(shape, (h // 2, w // 2))
        yield resize_problem(shape, (h + h // 8, w + w // 8))


@operator("image_erase", family="transforms")
def erase_problems() -> Iterator[Problem]:
    yield from map(erase_problem, SHAPES)


@operator("image_color", family="transforms")
def color_problems() -> Iterator[Problem]:
    yield from map(color_problem, SHAPES)


@operator("image_augment", family="transforms")
def augment_problems() -> Iterator[Problem]:
    yield from map(augment_problem, AUGMENTED)


contender("image_color", name="gpudl")(ops.image_color)
contender("image_crop", name="gpudl")(ops.image_crop)
contender("image_erase", name="gpudl")(ops.image_erase)
contender("image_resize", name="gpudl")(ops.image_resize)


def _pixels(mean: tuple[float, ...], std: tuple[float, ...]) -> dict[str, np.ndarray]:
    """In units of uint8 images."""
    return {"mean": np.array(mean) * 255, "std": np.array(std) * 255}


@contender("image_normalize", name="gpudl", prepares=True)
def gpudl_normalize(x: Any, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Callable[[], Any]:
    numbers = _pixels(mean, std)
    return lambda: ops.image_normalize(x, **numbers)


@contender("image_affine", name="gpudl")
def gpudl_affine(x: Any, *, matrices: np.ndarray, theta: np.ndarray) -> Any:
    return ops.image_affine(x, matrices, interpolation="bilinear")


def _stages(
    *, top: Any, left: Any, flip_horizontal: Any, brightness: Any, contrast: Any, saturation: Any, boxes: Any,
    mean: tuple[float, ...], std: tuple[float, ...],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The settings of an augmentation as arguments of `ops.image_augment`."""
    return {
        "crop": {"top": top, "left": left, "flip_horizontal": flip_horizontal},
        "color": {"brightness": brightness, "contrast": contrast, "saturation": saturation},
        "erase": {"boxes": boxes},
        "normalize": _pixels(mean, std),
    }


@contender("image_augment", name="gpudl", prepares=True)
def gpudl_augment(x: Any, **settings: Any) -> Callable[[], Any]:
    stages = _stages(**settings)
    return lambda: ops.image_augment(x, **stages)


@contender("image_augment", name="gpudl, one by one", prepares=True)
def gpudl_one_by_one(x: Any, **settings: Any) -> Callable[[], Any]:
    stages = _stages(**settings)

    def call() -> Any:
        y = ops.image_crop(x, **stages["crop"])
        y = ops.image_color(y, **stages["color"])
        return ops.image_normalize(ops.image_erase(y, **stages["erase"]), **stages["normalize"])

    return call


# ---- PyTorch: functions of images, for images like x


Images = Callable[[Any], Any]


def _mirrored(x: Any, flip: np.ndarray) -> Images:
    import torch

    chosen = torch.from_numpy(flip)[:, None, None, None].to(x.device)
    return lambda images: torch.where(chosen, images.flip(3), images)


def _windows(x: Any, top: np.ndarray, left: np.ndarray) -> Images:
    import torch

    n, _, h, w = x.shape
    samples, rows, columns = (torch.arange(extent) for extent in (n, h, w))
    rows = torch.from_numpy(top + PADDING)[:, None, None] + rows[:, None]
    columns = torch.from_numpy(left + PADDING)[:, None, None] + columns
    index = [places.to(x.device) for places in (samples[:, None, None], rows, columns)]

    def call(images: Any) -> Any:
        padded = torch.nn.functional.pad(images, (PADDING,) * 4).permute(0, 2, 3, 1)
        return padded[tuple(index)].permute(0, 3, 1, 2)

    return call


def _normalized(x: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
    import torch

    mean, std = (torch.tensor(values, device=x.device)[:, None, None] for values in (mean, std))
    return lambda images: images.float().div_(255).sub_(mean).div_(std)


def _erased(x: Any, boxes: np.ndarray) -> Images:
    import torch

    top, left, height, width = (torch.from_numpy(column)[:, None].to(x.device) for column in boxes.T)
    rows, columns = (torch.arange(extent, device=x.device) for extent in x.shape[2:])

    def call(images: Any) -> Any:
        inside_rows = (rows >= top) & (rows < top + height)
        inside_columns = (columns >= left) & (columns < left + width)
        return images.masked_fill((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0)

    return call


def _colored(x: Any, brightness: Any, contrast: Any, saturation: Any) -> Images:
    import torch

    brightness, contrast, saturation = (
        torch.from_numpy(factors).float().to(x.device)[:, None, None, None]
        for factors in (brightness, contrast, saturation)
    )
    weights = torch.tensor(GREY, device=x.device)[:, None, None]

    def rounded(values: Any) -> Any:
        return values.round_().clamp_(0, 255)

    def grey(values: Any) -> Any:
        return (values * weights).sum(1, keepdim=True).round_()

    def call(images: Any) -> Any:
        y = rounded(images.float() * brightness)
        y = rounded(torch.lerp(grey(y).mean((2, 3), keepdim=True), y, contrast))
        return rounded(torch.lerp(grey(y), y, saturation)).to(torch.uint8)

    return call


# ---- PyTorch: contenders


@contender("image_crop", name="PyTorch", arrays="torch", prepares=True)
def torch_crop(x: Any, *, top: Any, left: Any, flip_horizontal: Any) -> Callable[[], Any]:
    moved = _windows(x, top, left) if flip_horizontal is False else _mirrored(x, flip_horizontal)
    return lambda: moved(x)


@contender("image_normalize", name="PyTorch", arrays="torch", prepares=True)
def torch_normalize(x: Any, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Callable[[], Any]:
    normalized = _normalized(x, mean, std)
    return lambda: normalized(x)


@contender("image_affine", name="PyTorch", arrays="torch", prepares=True)
def torch_affine(x: Any, *, matrices: np.ndarray, theta: np.ndarray) -> Callable[[], Any]:
    import torch

    unit = torch.from_numpy(theta).float().to(x.device)

    def call() -> Any:
        grid = torch.nn.functional.affine_grid(unit, list(x.shape), align_corners=False)
        made = torch.nn.functional.grid_sample(x.float(), grid, "bilinear", align_corners=False)
        return made.round_().clamp_(0, 255).to(torch.uint8)

    return call


@contender("image_resize", name="PyTorch", arrays="torch")
def torch_resize(x: Any, *, size: tuple[int, int]) -> Any:
    import torch

    if not x.is_cuda:
        return torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
    # On a GPU PyTorch resizes floating images only.
    made = torch.nn.functional.interpolate(x.float(), size, mode="bilinear", antialias=True)
    return made.round_().clamp_(0, 255).to(torch.uint8)


@contender("image_erase", name="PyTorch", arrays="torch", prepares=True)
def torch_erase(x: Any, *, boxes: np.ndarray) -> Callable[[], Any]:
    erased = _erased(x, boxes)
    return lambda: erased(x)


@contender("image_color", name="PyTorch", arrays="torch", prepares=True)
def torch_color(x: Any, *, brightness: Any, contrast: Any, saturation: Any) -> Callable[[], Any]:
    colored = _colored(x, brightness, contrast, saturation)
    return lambda: colored(x)


@contender("image_augment", name="PyTorch", arrays="torch", prepares=True)
def torch_augment(
    x: Any, *, top: Any, left: Any, flip_horizontal: Any, brightness: Any, contrast: Any, saturation: Any, boxes: Any,
    mean: tuple[float, ...], std: tuple[float, ...],
) -> Callable[[], Any]:  # fmt: skip
    steps = [
        _windows(x, top, left), _mirrored(x, flip_horizontal), _colored(x, brightness, contrast, saturation),
        _erased(x, boxes), _normalized(x, mean, std),
    ]  # fmt: skip
    return lambda: functools.reduce(lambda images, step: step(images), steps, x)

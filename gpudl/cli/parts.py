"""From a configuration to what a run is made of: data and their parts, transforms, model, optimizer, schedule."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import warnings
from typing import Any

import numpy as np

import gpudl
from gpudl import data, metrics, models, nn, optim
from gpudl.cli.config import ConfigError, RunConfig
from gpudl.data import transforms
from gpudl.optim import lr_scheduler
from gpudl.train import LRSchedule

TEST_SHARE = 0.2  # of data that come without a test part
_HASHED = 1024  # rows at a time
_NAMED = 5  # classes in a message


@dataclasses.dataclass(frozen=True)
class Parts:
    """Three data sets that share no sample, and in words which samples they are."""

    train: data.ArrayDataset
    validation: data.ArrayDataset
    test: data.ArrayDataset
    source: data.ImageData
    words: str


def split(source: data.ImageData, validation: float, seed: int) -> Parts:
    """Training, validation and test part: the given test part, or a fifth; each class with its share in all."""
    if len(source.classes) < 2:
        raise ConfigError(f"{source.name}: training needs at least two classes, got {len(source.classes)}")
    rest, test = source.train, source.test
    origin = f"test {{}} images (the test part of {source.name})"
    if test is None:
        rest, test = _cut(rest, TEST_SHARE, seed, "test")
        origin = f"test {{}} images ({100 * TEST_SHARE:g}% of {source.name}, which has no test part)"
    train, held_out = _cut(rest, validation, seed, "validation")
    _look_for_classes(source, train)
    words = (
        f"training {len(train)} images, validation {len(held_out)} ({100 * validation:g}% of the training part, "
        f"each class with its share, seed {seed}), {origin.format(len(test))}"
    )
    return Parts(train, held_out, test, source, words)


def sha256(source: data.ImageData) -> str:
    """Of all images and labels and the names of the classes."""
    digest = hashlib.sha256(repr(source.classes).encode(errors="surrogateescape"))
    for part in (source.train, source.test):
        for array in () if part is None else part.arrays:
            digest.update(f"{array.dtype} {array.shape}".encode())
            for first in range(0, len(array), _HASHED):
                digest.update(np.ascontiguousarray(array[first : first + _HASHED]))
    return digest.hexdigest()


def _cut(
    whole: data.ArrayDataset, share: float, seed: int, name: str
) -> tuple[data.ArrayDataset, data.ArrayDataset]:
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError("splitting data needs scikit-learn: pip install 'gpudl[train]'") from error
    images, labels = whole.arrays
    counts = np.bincount(labels)
    classes = np.count_nonzero(counts)
    count = max(math.ceil(share * len(labels)), classes)
    if len(labels) - count < classes:
        raise ConfigError(
            f"{len(labels)} images of {classes} classes are too few to hold out a {name} part "
            f"of {100 * share:g}% with every class in both"
        )
    if counts[counts > 0].min() < 2:
        raise ConfigError(
            f"the class of label {np.flatnonzero(counts == 1)[0]} has one image only, too few to hold out a {name} "
            "part with every class in both"
        )
    kept, held_out = train_test_split(
        np.arange(len(labels)), test_size=count, random_state=seed, stratify=labels
    )
    return tuple(data.ArrayDataset(images[rows], labels[rows]) for rows in (np.sort(kept), np.sort(held_out)))  # type: ignore[return-value]


def _look_for_classes(source: data.ImageData, train: data.ArrayDataset) -> None:
    """Refuse more classes than images, which no report could hold; warn of those that nothing is learned of."""
    count = len(source.classes)
    if count > len(source.train):
        raise ConfigError(
            f"{source.name}: {len(source.train)} images cannot be of {count} classes; number labels from 0 on"
        )
    missing = np.flatnonzero(np.bincount(train.arrays[1], minlength=count) == 0)
    if len(missing):
        names = ", ".join(source.classes[i] for i in missing[:_NAMED]) + ", ..." * (len(missing) > _NAMED)
        warnings.warn(
            f"{source.name}: no training image of {len(missing)} of {count} classes: {names}", stacklevel=2
        )


def augmentation(name: str, image_shape: tuple[int, int, int], seed: int) -> list[transforms.Transform]:
    """The random transforms of an `--augment` choice, each with a seed of its own."""
    channels, height, width = image_shape
    pad = max(1, min(height, width) // 8)
    jitter = transforms.ColorJitter(0.2, 0.2, *((0.2, 0.05) if channels == 3 else ()), seed=seed + 3)
    crop = transforms.RandomCrop((height, width), padding=pad, seed=seed + 1)
    flip = transforms.RandomHorizontalFlip(seed=seed + 2)
    affine = transforms.RandomAffine(
        10, translate=(0.08, 0.08), scale=(0.9, 1.1), shear=5, interpolation="bilinear", seed=seed
    )
    chosen: dict[str, list[transforms.Transform]] = {
        "none": [],
        "affine": [affine],
        "crop-flip": [crop, flip],
        "strong": [affine, crop, flip, jitter, transforms.RandomErasing(p=0.25, seed=seed + 4)],
    }
    return chosen[name]


def loaders(
    config: RunConfig, parts: Parts, standardize: transforms.Standardize
) -> tuple[data.DataLoader, data.DataLoader]:
    """Batches for training, shuffled and augmented, and for validation."""
    assert config.augment is not None, "a resolved configuration"
    augment = augmentation(config.augment, parts.source.image_shape, config.seed)
    training = data.DataLoader(
        parts.train, config.batch_size, shuffle=True, generator=config.seed,
        drop_last=_leaves_one(config, parts),
        transform=transforms.Compose([*augment, standardize]),
    )  # fmt: skip
    return training, plain_loader(parts.validation, standardize)


def _leaves_one(config: RunConfig, parts: Parts) -> bool:
    """Whether the last batch would be of one image, of which batch norm may have no variance."""
    return len(parts.train) > config.batch_size > 1 and len(parts.train) % config.batch_size == 1


def plain_loader(dataset: data.ArrayDataset, standardize: transforms.Standardize) -> data.DataLoader:
    """Batches in their order, not augmented."""
    return data.DataLoader(dataset, batch_size=256, transform=standardize)


def make_model(name: str, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    try:
        return models.create(name, num_classes, image_shape)
    except ValueError as error:
        raise ConfigError(f"--model: {name} cannot take images of shape {image_shape}: {error}") from error


def require_suitable(config: RunConfig, num_classes: int, image_shape: tuple[int, int, int]) -> None:
    """Raise ConfigError where the model cannot train on batches of such images, before anything is begun."""
    model = make_model(config.model, num_classes, image_shape)
    images = np.zeros((min(config.batch_size, 2), *image_shape), np.float32)
    try:
        with gpudl.no_grad():
            model(images)
    except ValueError as error:
        raise ConfigError(
            f"--model: {config.model} cannot train on batches of shape {images.shape}: {error}"
        ) from error


def make_optimizer(config: RunConfig, model: nn.Module) -> optim.Optimizer:
    """Weights decay; biases and the scales of normalisations do not."""
    groups = [
        {
            "params": [p for p in model.named_parameters() if p[1].data.ndim > 1],
            "weight_decay": config.weight_decay,
        },
        {"params": [p for p in model.named_parameters() if p[1].data.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    kinds: dict[str, Any] = {
        "sgd": lambda: optim.SGD(groups, config.lr, momentum=0.9, nesterov=True),
        "adam": lambda: optim.Adam(groups, config.lr),
        "adamw": lambda: optim.AdamW(groups, config.lr),
        "rmsprop": lambda: optim.RMSprop(groups, config.lr),
    }
    return kinds[config.optimizer]()


def make_schedule(config: RunConfig, optimizer: optim.Optimizer, steps_per_epoch: int) -> LRSchedule | None:
    """What `--schedule` stands for over the whole run."""
    total = config.epochs * steps_per_epoch
    third = max(1, config.epochs // 3)
    kinds: dict[str, Any] = {
        "constant": lambda: None,
        "cosine": lambda: LRSchedule(lr_scheduler.CosineAnnealingLR(optimizer, total), "step"),
        "one-cycle": lambda: LRSchedule(
            lr_scheduler.OneCycleLR(optimizer, config.lr, total_steps=total + 1, cycle_momentum=False), "step"
        ),
        "step": lambda: LRSchedule(lr_scheduler.StepLR(optimizer, third, 0.1)),
        "exponential": lambda: LRSchedule(lr_scheduler.ExponentialLR(optimizer, decay_steps=third)),
        "plateau": lambda: LRSchedule(lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=3)),
    }
    return kinds[config.schedule]()


def training_metrics() -> dict[str, metrics.Metric]:
    return {"accuracy": metrics.Accuracy()}

"""From a configuration to what a run is made of: data and their parts, transforms, model, optimizer, schedule."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from gpudl import data, metrics, models, nn, optim
from gpudl.cli.config import ConfigError, RunConfig
from gpudl.data import transforms
from gpudl.optim import lr_scheduler
from gpudl.train import LRSchedule

TEST_SHARE = 0.2  # of data that come without a test part


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
    rest, test = source.train, source.test
    origin = f"test {{}} images (the test part of {source.name})"
    if test is None:
        rest, test = _cut(rest, TEST_SHARE, seed, "test")
        origin = f"test {{}} images ({TEST_SHARE:.0%} of {source.name}, which has no test part)"
    train, held_out = _cut(rest, validation, seed, "validation")
    words = (
        f"training {len(train)} images, validation {len(held_out)} ({validation:.0%} of the training part, "
        f"each class with its share, seed {seed}), {origin.format(len(test))}"
    )
    return Parts(train, held_out, test, source, words)


def _cut(
    whole: data.ArrayDataset, share: float, seed: int, name: str
) -> tuple[data.ArrayDataset, data.ArrayDataset]:
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError("splitting data needs scikit-learn: pip install 'gpudl[train]'") from error
    images, labels = whole.arrays
    counts = np.bincount(labels)
    count = max(math.ceil(share * len(labels)), np.count_nonzero(counts))
    if count >= len(labels) or len(labels) - count < np.count_nonzero(counts) or counts[counts > 0].min() < 2:
        raise ConfigError(
            f"{len(labels)} images of {np.count_nonzero(counts)} classes are too few to hold out a {name} part "
            f"of {share:.0%} with every class in both"
        )
    kept, held_out = train_test_split(
        np.arange(len(labels)), test_size=count, random_state=seed, stratify=labels
    )
    return tuple(data.ArrayDataset(images[rows], labels[rows]) for rows in (np.sort(kept), np.sort(held_out)))  # type: ignore[return-value]


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
        transform=transforms.Compose([*augment, standardize]),
    )  # fmt: skip
    return training, plain_loader(parts.validation, standardize)


def plain_loader(dataset: data.ArrayDataset, standardize: transforms.Standardize) -> data.DataLoader:
    """Batches in their order, not augmented."""
    return data.DataLoader(dataset, batch_size=256, transform=standardize)


def make_model(name: str, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    try:
        return models.create(name, num_classes, image_shape)
    except ValueError as error:
        raise ConfigError(f"--model: {name} cannot take images of shape {image_shape}: {error}") from error


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

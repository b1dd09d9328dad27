"""Networks that are trained as a whole: the same initial values for every library, and data sets."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gpudl
from gpudl import data, models, nn, random
from gpudl._backend import Array, is_cupy
from gpudl.bench import networks
from gpudl.bench.problem import Work

SEED = 0
ADAM_BYTES = 28  # of each parameter that a step of Adam reads and writes: itself, its gradient and two states
MNIST10K = Path(__file__).parents[2] / "tests" / "data" / "mnist10k"


@dataclasses.dataclass(frozen=True)
class Trained:
    """make : gpudl's model. network : its layers. image : (C, H, W)."""

    make: Callable[[], nn.Module]
    network: networks.Network
    image: tuple[int, int, int]

    def work(self, N: int) -> Work:
        """Of a step: products forward, and twice as many backward but for the gradient of the images; parameters,
        gradients and Adam's state. Activations may stay on the chip."""
        first = self.network.convolutions[0].multiply_adds
        parameters = sum(map(math.prod, self.network.parameter_shapes))
        return Work(flops=2 * N * (3 * self.network.multiply_adds - first), bytes=ADAM_BYTES * parameters)


TRAINED = {
    "LeNet": Trained(models.LeNet, networks.LENET, (1, 28, 28)),
    "CIFAR ResNet-20": Trained(lambda: models.CifarResNet(20), networks.CIFAR_RESNET20, (3, 32, 32)),
    "ResNet-50": Trained(models.resnet50, networks.RESNET50, (3, 224, 224)),
}


@functools.cache
def _initial(name: str) -> nn.Module:
    before = random.default_generator.state_dict()
    try:
        random.manual_seed(SEED)
        with gpudl.use_backend("cpu"):
            return TRAINED[name].make()
    finally:
        random.default_generator.load_state_dict(before)


def gpudl_model(name: str, like: Array | None = None, dtype: Any = np.float32) -> nn.Module:
    """A new model with the initial values of all, on the device of `like` (None: the CPU)."""
    model = copy.deepcopy(_initial(name))
    model.input_requires_grad = False
    return model.to("cuda" if like is not None and is_cupy(like) else "cpu", dtype)


# ---- data sets


Sets = tuple[data.ArrayDataset, data.ArrayDataset | None]


@dataclasses.dataclass(frozen=True)
class Images:
    """words : which, and how many to train on. real : not generated. load : makes the sets where they are needed."""

    words: str
    real: bool
    count: int
    load: Callable[[], Sets]

    @functools.cached_property
    def _sets(self) -> Sets:
        return self.load()

    @property
    def train(self) -> data.ArrayDataset:
        return self._sets[0]

    @property
    def test(self) -> data.ArrayDataset | None:
        return self._sets[1]


def mnist() -> Images:
    """Of the folder in GPUDL_MNIST, else 8,000 of a checkout's tests, else generated ones."""
    folder = os.environ.get("GPUDL_MNIST") or (str(MNIST10K) if MNIST10K.is_dir() else "")
    return _read("GPUDL_MNIST", folder, "MNIST") if folder else _generated(8000, (1, 28, 28), "MNIST")


def cifar10(count: int) -> Images:
    """Of the folder in GPUDL_CIFAR10, else `count` generated ones."""
    folder = os.environ.get("GPUDL_CIFAR10")
    if folder:
        return _read("GPUDL_CIFAR10", folder, "CIFAR-10")
    return _generated(count, (3, 32, 32), "CIFAR-10")


@functools.cache
def _read(variable: str, folder: str, name: str) -> Images:
    try:
        found = data.open_dataset(folder)
    except (OSError, ValueError) as error:
        raise ValueError(f"{variable}: {error}") from error
    count = len(found.train)
    return Images(f"{count:,} images of {name}", True, count, lambda: (found.train, found.test))


@functools.cache
def _generated(count: int, image: tuple[int, int, int], like: str) -> Images:
    """A test set of a quarter of `count` comes with them."""
    words = f"{count:,} generated images of the shape of {like}"
    return Images(words, False, count, lambda: (_textures(count, image, 1), _textures(count // 4, image, 2)))


_CELL = 4  # pixels, the side of a square of one colour
_AT_ONCE = 4096


def _textures(count: int, image: tuple[int, int, int], seed: int) -> data.ArrayDataset:
    """Images that can be learned: of each class one texture of squares, moved around by chance under as much noise.

    All textures have the same squares in another order, so that no mean tells them apart, and are the same for every
    `seed`.
    """
    C, H, W = image
    rng = np.random.default_rng(SEED)
    squares = rng.integers(0, 128, (H // _CELL * (W // _CELL), C), np.uint8)
    textures = np.stack([rng.permutation(squares) for _ in range(10)]).reshape(10, H // _CELL, W // _CELL, C)
    textures = textures.repeat(_CELL, axis=1).repeat(_CELL, axis=2)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    images = rng.integers(0, 128, (count, H, W, C), np.uint8)
    for first in range(0, count, _AT_ONCE):
        part = images[first : first + _AT_ONCE]
        top, left = rng.integers(0, (H, W), (len(part), 2)).T[..., None]
        rows, columns = (np.arange(H) + top) % H, (np.arange(W) + left) % W
        kind = labels[first : first + _AT_ONCE, None, None]
        part += textures[kind, rows[:, :, None], columns[:, None, :]]
    return data.ArrayDataset(images.transpose(0, 3, 1, 2), labels)

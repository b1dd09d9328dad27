"""Models: LeNet, a small CNN, ResNets, VGG, MobileNetV2. Weights of torchvision's models load by their keys."""

from __future__ import annotations

from collections.abc import Callable

from gpudl.models.lenet import LeNet, SmallCNN
from gpudl.models.mobilenet import MobileNetV2
from gpudl.models.resnet import CifarResNet, ResNet, resnet18, resnet34, resnet50
from gpudl.models.vgg import VGG
from gpudl.nn import Module

__all__ = [
    "VGG",
    "CifarResNet",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "SmallCNN",
    "create",
    "names",
    "resnet18",
    "resnet34",
    "resnet50",
]

_BY_NAME: dict[str, Callable[[int, int, int], Module]] = {
    "lenet": lambda classes, channels, size: LeNet(classes, channels, size),
    "small-cnn": lambda classes, channels, size: SmallCNN(classes, channels),
    "cifar-resnet20": lambda classes, channels, size: CifarResNet(20, classes, channels),
    "cifar-resnet32": lambda classes, channels, size: CifarResNet(32, classes, channels),
    "resnet18": lambda classes, channels, size: resnet18(classes, channels),
    "resnet34": lambda classes, channels, size: resnet34(classes, channels),
    "resnet50": lambda classes, channels, size: resnet50(classes, channels),
    "vgg11": lambda classes, channels, size: VGG(11, classes, channels),
    "vgg16": lambda classes, channels, size: VGG(16, classes, channels),
    "mobilenet-v2": lambda classes, channels, size: MobileNetV2(classes, channels),
}


def names() -> list[str]:
    """The names that `create` knows."""
    return list(_BY_NAME)


def create(name: str, num_classes: int, image_shape: tuple[int, int, int]) -> Module:
    """A new model for images (C, H, W) of `num_classes` classes.

    Raises ValueError for an unknown name (it lists the known ones), a shape of another form, or where LeNet gets an
    image that is not square.
    """
    if name not in _BY_NAME:
        raise ValueError(f"create: name must be one of {', '.join(_BY_NAME)}, got {name!r}")
    if not isinstance(image_shape, tuple | list) or len(image_shape) != 3:
        raise ValueError(f"create: image_shape must be (C, H, W), got {image_shape!r}")
    channels, height, width = image_shape
    if name == "lenet" and height != width:
        raise ValueError(f"create: lenet needs square images, got {height}x{width}")
    return _BY_NAME[name](num_classes, channels, height)

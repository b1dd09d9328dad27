"""VGG with torchvision's keys."""

from __future__ import annotations

from gpudl import nn
from gpudl.models._chain import Chain, init_convolutions, init_linears
from gpudl.ops import _arrays

# Convolutions of each of the five stages.
_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_CHANNELS = (64, 128, 256, 512, 512)


class VGG(Chain):
    """VGG of 11, 13, 16 or 19 layers (Simonyan and Zisserman, ICLR 2015); state keys are torchvision's.

    depth : 11, 13, 16 or 19. num_classes, in_channels : at least 1. batch_norm : after every convolution.
    dropout : probability of dropping in the classifier.
    """

    def __init__(
        self,
        depth: int = 16,
        num_classes: int = 1000,
        in_channels: int = 3,
        batch_norm: bool = False,
        dropout: float = 0.5,
    ):
        super().__init__()
        _arrays.one_of("VGG", "depth", depth, tuple(_STAGES))
        self.features = nn.Sequential(*_features(depth, in_channels, batch_norm))
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip
        init_convolutions(self)
        init_linears(self)

    def layers(self) -> list[nn.Module]:
        return [self.features, self.avgpool, self.flatten, self.classifier]


def _features(depth: int, in_channels: int, batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for convolutions, channels in zip(_STAGES[depth], _CHANNELS, strict=True):
        for _ in range(convolutions):
            layers.append(nn.Conv2d(in_channels, channels, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            in_channels = channels
        layers.append(nn.MaxPool2d(2))
    return layers

"""LeNet-5 and the small network of the command line's default."""

from __future__ import annotations

from gpudl import nn
from gpudl.models._chain import Chain
from gpudl.ops import _arrays


class LeNet(Chain):
    """LeNet-5 with ReLU and max pooling: two 5x5 convolutions, three linear layers.

    num_classes, in_channels : at least 1. image_size : height and width, at least 12.
    LeCun et al., Proc. IEEE 1998 (which has tanh, trained subsampling and radial outputs).
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28):
        super().__init__()
        size = _arrays.integer("LeNet", "image_size", image_size, minimum=12)
        # ReLU and the largest of a window commute, results and gradients bit for bit; so ReLU has a quarter to do.
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=2)
        self.pool1 = nn.MaxPool2d(2)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.relu2 = nn.ReLU(inplace=True)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(16 * ((size // 2 - 4) // 2) ** 2, 120)
        self.relu3 = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(120, 84)
        self.relu4 = nn.ReLU(inplace=True)
        self.fc3 = nn.Linear(84, num_classes)

    def layers(self) -> list[nn.Module]:
        return [
            self.conv1, self.pool1, self.relu1, self.conv2, self.pool2, self.relu2,
            self.flatten, self.fc1, self.relu3, self.fc2, self.relu4, self.fc3,
        ]  # fmt: skip


class SmallCNN(Chain):
    """Three 3x3 convolutions with batch norm, pooled to one vector: for images from 4x4 pixels on.

    num_classes, in_channels : at least 1. width : channels of the first convolution; the others have twice as many.
    dropout : probability of dropping before the last layer.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, width: int = 32, dropout: float = 0.3):
        super().__init__()
        width = _arrays.integer("SmallCNN", "width", width, minimum=1)
        self.features = nn.Sequential(
            *_conv_bn_relu(in_channels, width),
            *_conv_bn_relu(width, 2 * width),
            nn.MaxPool2d(2),
            *_conv_bn_relu(2 * width, 2 * width),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(4 * 2 * width, num_classes)

    def layers(self) -> list[nn.Module]:
        return [self.features, self.avgpool, self.flatten, self.dropout, self.fc]


def _conv_bn_relu(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]

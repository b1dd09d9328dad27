"""Batch normalisation in training against PyTorch's layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from bench._layers import layer_cases
from bench.harness import Case
from gpudl import nn

SHAPES = [(32, 64, 56, 56), (128, 16, 32, 32), (128, 64, 8, 8), (128, 6, 28, 28)]


def cases() -> Iterator[Case]:
    for shape in SHAPES:
        yield from layer_cases("batch_norm", nn.BatchNorm2d(shape[1]), torch.nn.BatchNorm2d(shape[1]), shape)
    for shape in [(256, 128), (64, 128, 256)]:
        layer, twin = nn.BatchNorm1d(128), torch.nn.BatchNorm1d(128)
        yield from layer_cases("batch_norm", layer, twin, shape)

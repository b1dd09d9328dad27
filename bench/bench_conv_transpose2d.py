"""Transposed convolution as a layer, against PyTorch's: the step that doubles an image in a decoder."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from bench._layers import layer_cases
from bench.harness import Case
from gpudl import nn


def cases() -> Iterator[Case]:
    numbers = {"stride": 2, "padding": 1}
    yield from layer_cases(
        "conv_transpose2d",
        nn.ConvTranspose2d(64, 32, 4, **numbers),
        torch.nn.ConvTranspose2d(64, 32, 4, **numbers).to(memory_format=torch.channels_last),
        (32, 64, 16, 16),
    )

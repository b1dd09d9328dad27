"""Group normalisation of images against PyTorch's layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from bench._layers import layer_cases
from bench.harness import Case
from gpudl import nn

GROUPS, SHAPE = 8, (32, 64, 28, 28)


def cases() -> Iterator[Case]:
    channels = SHAPE[1]
    twin = torch.nn.GroupNorm(GROUPS, channels)
    yield from layer_cases("group_norm", nn.GroupNorm(GROUPS, channels), twin, SHAPE)

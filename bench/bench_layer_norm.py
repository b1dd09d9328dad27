"""Layer normalisation of the last axis against PyTorch's layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from bench._layers import layer_cases
from bench.harness import Case
from gpudl import nn

SHAPES = [(64, 128, 256), (2048, 768)]


def cases() -> Iterator[Case]:
    for shape in SHAPES:
        yield from layer_cases("layer_norm", nn.LayerNorm(shape[-1]), torch.nn.LayerNorm(shape[-1]), shape)

"""1-D convolution as a layer, against PyTorch's; both take and give (N, C, L)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from bench._layers import layer_cases
from bench.harness import Case
from gpudl import nn


def cases() -> Iterator[Case]:
    yield from layer_cases(
        "conv1d", nn.Conv1d(64, 64, 3, padding=1), torch.nn.Conv1d(64, 64, 3, padding=1), (32, 64, 512)
    )

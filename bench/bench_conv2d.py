"""2-D convolution: each direction through the public operators, against PyTorch's on channels-last tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import ops

# (N, C, H, W), K, field, stride, padding, groups
WORKLOADS = [
    ((32, 64, 32, 32), 64, 3, 1, 1, 1),
    ((32, 128, 16, 16), 128, 3, 1, 1, 1),
    ((32, 256, 8, 8), 256, 3, 1, 1, 1),
    ((128, 32, 16, 16), 32, 3, 1, 1, 1),
    ((128, 64, 8, 8), 64, 3, 1, 1, 1),
    ((32, 64, 32, 32), 128, 3, 2, 1, 1),
    ((32, 32, 32, 32), 64, 5, 1, 2, 1),
    ((16, 64, 56, 56), 256, 1, 1, 0, 1),
    ((16, 256, 28, 28), 128, 1, 2, 0, 1),
    ((32, 3, 32, 32), 64, 3, 1, 1, 1),
    ((64, 1, 28, 28), 32, 5, 1, 2, 1),
    ((128, 1, 28, 28), 6, 5, 1, 2, 1),
    ((128, 6, 14, 14), 16, 5, 1, 0, 1),
    ((128, 3, 32, 32), 16, 3, 1, 1, 1),
    ((128, 16, 32, 32), 32, 3, 2, 1, 1),
    ((128, 16, 32, 32), 16, 3, 1, 1, 1),
    ((32, 64, 32, 32), 64, 3, 1, 1, 64),
    ((32, 64, 32, 32), 64, 3, 2, 1, 64),
    ((16, 64, 28, 28), 64, 3, 1, 1, 4),
]


def cases() -> Iterator[Case]:
    for workload in WORKLOADS:
        yield from _directions(*workload)


def _directions(
    shape: tuple[int, ...], K: int, field: int, stride: int, padding: int, groups: int
) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    N, C, H, W = shape
    x = rng.standard_normal((N, H, W, C), np.float32).transpose(0, 3, 1, 2)
    weight = rng.standard_normal((K, field, field, C // groups), np.float32).transpose(0, 3, 1, 2)
    bias = rng.standard_normal(K, np.float32)
    numbers = {"stride": stride, "padding": padding, "groups": groups}
    y = ops.conv2d_forward(x, weight, bias, **numbers)
    dy = rng.standard_normal(y.transpose(0, 2, 3, 1).shape, np.float32).transpose(0, 3, 1, 2)
    tx, tweight, tbias, tdy = (torch.from_numpy(array) for array in (x, weight, bias, dy))

    def torch_backward(mask: list[bool]) -> tuple[torch.Tensor, ...]:
        pair = [stride, stride], [padding, padding], [1, 1], False, [0, 0], groups
        return torch.ops.aten.convolution_backward(tdy, tx, tweight, [K], *pair, mask)

    words = f"{shape} -> {K}, {field}x{field}"
    words += f", stride {stride}" if stride > 1 else ""
    words += f", {groups} groups" if groups > 1 else ""
    dense = groups == 1 and min(C, K) >= 32
    yield Case(
        "conv2d", "forward", words,
        lambda: ops.conv2d_forward(x, weight, bias, **numbers),
        lambda: torch.nn.functional.conv2d(tx, tweight, tbias, **numbers),
        dense,
    )  # fmt: skip
    yield Case(
        "conv2d", "backward data", words,
        lambda: ops.conv2d_backward_data(dy, weight, x.shape, **numbers),
        lambda: torch_backward([True, False, False])[0],
        dense,
    )  # fmt: skip
    yield Case(
        "conv2d", "backward weight and bias", words,
        lambda: (ops.conv2d_backward_weight(dy, x, weight.shape, **numbers), ops.conv2d_backward_bias(dy)),
        lambda: torch_backward([False, True, True])[1:],
        dense,
    )  # fmt: skip

"""Transposed convolution, each direction: the step that doubles an image in a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpudl.bench.operators import _convolution
from gpudl.bench.problem import Problem, operator

Size = tuple[int, int, int, int]
SIZE: Size = (32, 64, 16, 32)  # N, C, H and K
FIELD = 4  # filters of 4x4, stride 2, padding 1: the result is twice as high and wide


def problem(direction: str, size: Size, **options: Any) -> Problem:
    N, C, H, K = size
    shapes = {
        "x": (N, C, H, H), "weight": (C, K, FIELD, FIELD), "bias": (K,), "dy": (N, K, 2 * H, 2 * H),
    }  # fmt: skip
    settings = {"stride": 2, "padding": 1, "output_padding": 0, "dilation": 1, "groups": 1}
    words = f"({N}, {C}, {H}, {H}) -> {K}, {FIELD}x{FIELD}, stride 2"
    products = N * H**2 * C * K * FIELD**2
    return _convolution.problem("conv_transpose2d", direction, words, shapes, products, settings, **options)


def _register(direction: str) -> None:
    @operator(f"conv_transpose2d_{direction}", family="conv_transpose2d")
    def problems() -> Iterator[Problem]:
        yield problem(direction, SIZE, quick=True)


for each in _convolution.ARRAYS:
    _register(each)
_convolution.register_contenders("conv_transpose2d", transposed=True)

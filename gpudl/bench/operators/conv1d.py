"""1-D convolution, each direction; both sides take and give (N, C, L)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpudl.bench.operators import _convolution
from gpudl.bench.problem import Problem, operator

Size = tuple[int, int, int, int, int]
SIZE: Size = (32, 64, 512, 64, 3)  # N, C, L, K and R, which is odd: padding keeps the length


def problem(direction: str, size: Size, **options: Any) -> Problem:
    N, C, L, K, R = size
    shapes = {"x": (N, C, L), "weight": (K, C, R), "bias": (K,), "dy": (N, K, L)}
    settings = {"stride": 1, "padding": R // 2, "dilation": 1, "groups": 1}
    words = f"({N}, {C}, {L}) -> {K}, {R}"
    return _convolution.problem("conv1d", direction, words, shapes, N * L * K * C * R, settings, **options)


def _register(direction: str) -> None:
    @operator(f"conv1d_{direction}", family="conv1d")
    def problems() -> Iterator[Problem]:
        yield problem(direction, SIZE, quick=True)


for each in _convolution.ARRAYS:
    _register(each)
_convolution.register_contenders("conv1d")

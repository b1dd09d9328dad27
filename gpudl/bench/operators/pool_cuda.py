"""Max and average pooling on a GPU: the functions of cuDNN's C library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpudl.bench import cudnn_pooling
from gpudl.bench.contender import contender

# The name of a contender, by the mode of cuDNN that it takes. Sums of gradients need not have one order in "max".
MAX = {"cuDNN": "max deterministic", "cuDNN, any order": "max"}
AVERAGE = "average"  # the padding counts, as by default in ours


def _register_max(name: str, mode: str) -> None:
    difference = "not deterministic" if mode == "max" else "keeps no offsets, reads x and y in the backward"

    @contender("max_pool2d_forward", name=name, prepares=True, devices=("cuda",), difference=difference)
    def forward(x: Any, **settings: int) -> Callable[[], Any]:
        return cudnn_pooling.forward(x, mode, settings)

    @contender("max_pool2d_backward", name=name, prepares=True, devices=("cuda",), difference=difference)
    def backward(dy: Any, x: Any, **settings: int) -> Callable[[], Any]:
        return cudnn_pooling.backward(dy, x, mode, settings)


for _name, _mode in MAX.items():
    _register_max(_name, _mode)


@contender("avg_pool2d_forward", name="cuDNN", prepares=True, devices=("cuda",))
def cudnn_average_forward(x: Any, **settings: int) -> Callable[[], Any]:
    return cudnn_pooling.forward(x, AVERAGE, settings)


@contender("avg_pool2d_backward", name="cuDNN", prepares=True, devices=("cuda",))
def cudnn_average_backward(dy: Any, *, x_shape: tuple[int, ...], **settings: int) -> Callable[[], Any]:
    x = cudnn_pooling.empty(x_shape, dy.dtype)  # cuDNN asks for it; averages have gradients without it
    return cudnn_pooling.backward(dy, x, AVERAGE, settings)

"""Additive Gaussian noise layer."""

from __future__ import annotations

from gpudl import ops, random
from gpudl._backend import Array
from gpudl.nn.module import Module
from gpudl.ops import _arrays


class GaussianNoise(Module):
    """y = x + std * z in training, z being standard normal for each element; y = x in evaluation.

    std : standard deviation of the noise, >= 0. Random numbers as in `Dropout`. As keras.layers.GaussianNoise.
    """

    def __init__(self, std: float):
        super().__init__()
        self.std = _arrays.real("GaussianNoise", "std", std, minimum=0)

    def forward(self, x: Array) -> Array:
        """x : any shape. Returns y, shaped as x (x itself in evaluation or with std = 0)."""
        if not self.training or self.std == 0:
            return x
        seed, stream = random.default_generator.next_stream()
        return ops.gaussian_noise_forward(x, std=self.std, seed=seed, stream=stream)

    def backward(self, dy: Array) -> Array:
        """Returns dy itself: the noise does not depend on x."""
        return dy

    def extra_repr(self) -> str:
        return f"std={self.std}"

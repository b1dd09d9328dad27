"""Models whose layers run in a row but are attributes, so that state dictionaries have the usual keys."""

from __future__ import annotations

from gpudl import init, nn
from gpudl._backend import Array
from gpudl.nn.container import chain_backward, chain_forward


class Chain(nn.Module):
    """Runs the layers that `layers()` returns one after the other; replacing an attribute replaces the layer."""

    def layers(self) -> list[nn.Module]:
        """The layers in order."""
        raise NotImplementedError(f"{type(self).__name__} does not define layers")

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W). Returns y : (N, classes)."""
        return chain_forward(self.layers(), x)

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Accumulates into the parameters; returns dx, shaped as x."""
        return chain_backward(self.layers(), dy, self.input_requires_grad)


def init_convolutions(model: nn.Module) -> None:
    """Kaiming normal weights by fan-out and zero biases for all convolutions; batch norms keep 1 and 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)


def init_linears(model: nn.Module) -> None:
    """Normal weights of standard deviation 0.01 and zero biases for all linear layers."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, 0, 0.01)
            init.zeros_(module.bias)

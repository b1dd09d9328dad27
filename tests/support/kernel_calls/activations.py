"""Calls of the activations."""

from tests.support.kernel_calls.base import Cost, both, elementwise_calls

CALLS = {
    "leaky_relu_forward": elementwise_calls(1, negative_slope=0.3),
    "leaky_relu_backward": elementwise_calls(2, negative_slope=0.3),
    "elu_forward": elementwise_calls(1, alpha=0.4),
    "elu_backward": elementwise_calls(2, alpha=0.4),
    "gelu_forward": both(elementwise_calls(1, tanh=0), elementwise_calls(1, tanh=1)),
    "gelu_backward": both(elementwise_calls(2, tanh=0), elementwise_calls(2, tanh=1)),
    "softplus_forward": elementwise_calls(1, beta=2.5, threshold=1.0),
    "softplus_backward": elementwise_calls(2, beta=2.5, threshold=1.0),
}
for stem in ("relu", "relu6", "silu", "hardswish", "sigmoid", "tanh"):
    CALLS[f"{stem}_forward"] = elementwise_calls(1)
    CALLS[f"{stem}_backward"] = elementwise_calls(2)
COSTS = {operator: Cost(calls) for operator, calls in CALLS.items()}

"""Linear: forward and the three gradients, against torch.nn.functional.linear and its products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import nn

SIZES = [(256, 512, 512), (64, 9216, 128), (128, 784, 300)]


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for rows, inputs, outputs in SIZES:
        x = rng.standard_normal((rows, inputs), np.float32)
        dy = rng.standard_normal((rows, outputs), np.float32)
        layer = nn.Linear(inputs, outputs)
        twin = torch.nn.Linear(inputs, outputs)
        twin.load_state_dict({name: torch.from_numpy(value) for name, value in layer.state_dict().items()})
        tx = torch.from_numpy(x).requires_grad_()
        tdy = torch.from_numpy(dy)

        def forward_and_backward(layer=layer, x=x, dy=dy):
            layer.zero_grad()
            layer(x)
            return layer.backward(dy), layer.weight.grad, layer.bias.grad

        def torch_forward_and_backward(twin=twin, tx=tx, tdy=tdy):
            twin.zero_grad()
            tx.grad = None
            twin(tx).backward(tdy)
            return tx.grad, twin.weight.grad, twin.bias.grad

        workload = f"({rows}, {inputs}) -> {outputs}"
        yield Case(
            "linear", "forward", workload, lambda layer=layer, x=x: layer(x), lambda twin=twin, x=tx: twin(x)
        )
        yield Case("linear", "forward + backward", workload, forward_and_backward, torch_forward_and_backward)

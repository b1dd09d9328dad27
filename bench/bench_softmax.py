"""Softmax and log-softmax over classes, both directions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import ops

SHAPES = [(1024, 1000), (128, 10), (8192, 100)]


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        x, dy = (rng.standard_normal(shape, np.float32) for _ in range(2))
        tx, tdy = torch.from_numpy(x), torch.from_numpy(dy)
        for name in ("softmax", "log_softmax"):
            forward, backward = (getattr(ops, f"{name}_{way}") for way in ("forward", "backward"))
            their_backward = getattr(torch.ops.aten, f"_{name}_backward_data")
            theirs = getattr(torch, name)
            y = forward(x, 1)
            ty = torch.from_numpy(y)
            yield Case(
                "softmax", f"{name} forward", str(shape),
                lambda x=x, forward=forward: forward(x, 1),
                lambda tx=tx, theirs=theirs: theirs(tx, 1),
            )  # fmt: skip
            yield Case(
                "softmax", f"{name} backward", str(shape),
                lambda dy=dy, y=y, backward=backward: backward(dy, y, 1),
                lambda tdy=tdy, ty=ty, their=their_backward: their(tdy, ty, 1, torch.float32),
            )  # fmt: skip

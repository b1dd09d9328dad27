"""Transforms of uint8 batches, channels-last, against PyTorch's tensor operators that do the same.

PyTorch has no batch transforms with numbers of each sample (torchvision draws once for a batch), so the reference is
what its users write: gathers by index, `grid_sample`, `interpolate`, and arithmetic. Numbers are drawn before.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional

from bench.harness import Case
from gpudl import ops

SHAPES = [(128, 3, 32, 32), (32, 3, 224, 224)]
MEAN, STD = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]
# Of the largest pixel. A value that lies between two whole numbers may go either way; PyTorch's resizing of uint8
# also rounds weights to 16 bits and the result of the first of its two passes to whole numbers.
LAST_BIT, TWO_BITS = 1 / 250, 2 / 200


def cases() -> Iterator[Case]:
    for shape in SHAPES:
        rng = np.random.default_rng(0)
        n, c, h, w = shape
        x = rng.integers(0, 256, (n, h, w, c), dtype=np.uint8).transpose(0, 3, 1, 2)
        yield from _moves(x, rng)
        yield from _samples(x, rng)


def _moves(x: np.ndarray, rng: np.random.Generator) -> Iterator[Case]:
    """Flips, crops and normalisation."""
    n, _, h, w = x.shape
    words, tx = str(x.shape), torch.from_numpy(x)
    flip = rng.random(n) < 0.5
    tflip = torch.from_numpy(flip)[:, None, None, None]
    yield Case(
        "transforms", "flip", words,
        lambda: ops.image_crop(x, flip_horizontal=flip),
        lambda: torch.where(tflip, tx.flip(3), tx),
        tolerance=0,
    )  # fmt: skip
    top, left = rng.integers(-4, 5, (2, n))
    samples = torch.arange(n)[:, None, None]
    rows = torch.from_numpy(top + 4)[:, None, None] + torch.arange(h)[None, :, None]
    columns = torch.from_numpy(left + 4)[:, None, None] + torch.arange(w)[None, None, :]

    def torch_crop() -> torch.Tensor:
        padded = functional.pad(tx, (4, 4, 4, 4)).permute(0, 2, 3, 1)
        return padded[samples, rows, columns].permute(0, 3, 1, 2)

    yield Case(
        "transforms", "crop, padding 4", words,
        lambda: ops.image_crop(x, top=top, left=left),
        torch_crop,
        tolerance=0,
    )  # fmt: skip
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    pixel_mean, pixel_std = (np.array(values) * 255 for values in (MEAN, STD))
    yield Case(
        "transforms", "normalise", words,
        lambda: ops.image_normalize(x, pixel_mean, pixel_std),
        lambda: tx.float().div_(255).sub_(mean).div_(std),
    )  # fmt: skip


def _samples(x: np.ndarray, rng: np.random.Generator) -> Iterator[Case]:
    """Affine maps and resizing."""
    n, c, h, w = x.shape
    words, tx = str(x.shape), torch.from_numpy(x)
    unit = np.eye(2, 3) + rng.uniform(-0.2, 0.2, (n, 2, 3))  # of places from -1 to 1
    theta = torch.from_numpy(unit.astype(np.float32))
    to_unit = np.array([[2 / w, 0, 1 / w - 1], [0, 2 / h, 1 / h - 1], [0, 0, 1]])
    from_unit = np.array([[w / 2, 0, (w - 1) / 2], [0, h / 2, (h - 1) / 2]])
    last = np.broadcast_to([[[0, 0, 1]]], (n, 1, 3))
    matrices = from_unit @ np.concatenate([unit, last], axis=1) @ to_unit

    def torch_affine() -> torch.Tensor:
        grid = functional.affine_grid(theta, [n, c, h, w], align_corners=False)
        made = functional.grid_sample(tx.float(), grid, "bilinear", align_corners=False)
        return made.round_().clamp_(0, 255).to(torch.uint8)

    yield Case(
        "transforms", "affine, bilinear", words,
        lambda: ops.image_affine(x, matrices, interpolation="bilinear"),
        torch_affine,
        tolerance=LAST_BIT,
    )  # fmt: skip
    for size in ((h // 2, w // 2), (h + h // 8, w + w // 8)):
        yield Case(
            "transforms", f"resize to {size}", words,
            lambda size=size: ops.image_resize(x, size),
            lambda size=size: functional.interpolate(tx, size, mode="bilinear", antialias=True),
            tolerance=TWO_BITS,
        )  # fmt: skip

"""Image transforms one after the other: what the one kernel must give."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from gpudl import _memory
from gpudl._numpy.image_affine import image_affine
from gpudl._numpy.image_color import image_color
from gpudl._numpy.image_crop import image_crop
from gpudl._numpy.image_erase import image_erase
from gpudl._numpy.image_normalize import image_normalize

Table = np.ndarray | None


def image_augment(
    x: np.ndarray,
    rows: Table,
    columns: Table,
    crop_fill: Table,
    matrices: Table,
    affine_fill: Table,
    factors: Table,
    steps: Table,
    edges: Table,
    value: Table,
    mean: Table,
    factor: Table,
    edges_after: Table,
    value_after: Table,
    y: np.ndarray,
    *,
    interpolation: str,
) -> None:
    """y = x after image_crop, image_affine, image_color, image_erase, image_normalize and image_erase.

    Each takes its tables from those above and is left out where they are None. x : uint8. y : uint8, or floating
    with mean and factor.
    """
    cropped = x.shape[2:] if rows is None else (rows.shape[1], columns.shape[1])
    affine = functools.partial(image_affine, interpolation=interpolation)
    stages = [
        (image_crop, (rows, columns, crop_fill), cropped, x.dtype),
        (affine, (matrices, affine_fill), y.shape[2:], x.dtype),
        (image_color, (factors, steps), y.shape[2:], x.dtype),
        (image_erase, (edges, value), y.shape[2:], x.dtype),
        (_normalize, (mean, factor), y.shape[2:], y.dtype),
        (image_erase, (edges_after, value_after), y.shape[2:], y.dtype),
    ]
    acting = [stage for stage in stages if stage[1][0] is not None]
    if not acting:
        y[...] = x
    for place, stage in enumerate(acting):
        x = _run(x, stage, y if place == len(acting) - 1 else None)


def _run(
    x: np.ndarray,
    stage: tuple[Callable[..., None], tuple[Table, ...], tuple[int, ...], np.dtype],
    y: np.ndarray | None,
) -> np.ndarray:
    """What a stage makes of x: y, or new channels-last images."""
    run, tables, size, dtype = stage
    if y is None:
        y = _memory.empty((len(x), *size, x.shape[1]), dtype).transpose(0, 3, 1, 2)
    if y.size:
        run(x, *tables, y)
    return y


def _normalize(x: np.ndarray, mean: np.ndarray, factor: np.ndarray, y: np.ndarray) -> None:
    image_normalize(x.transpose(0, 2, 3, 1), mean, factor, y.transpose(0, 2, 3, 1), planes=0)

"""What the readers share: the result, checks, errors that name the file."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path

import numpy as np

from gpudl.data.dataset import ArrayDataset

LARGEST_RATIO = 1032  # of deflate, by its format (RFC 1951): more cannot come out of a file


class DataFormatError(ValueError):
    """A file that is not what it should be: truncated, of another format, or contradicting itself."""


@dataclasses.dataclass(frozen=True)
class ImageData:
    """Images and labels. train, test : ArrayDatasets of (N, C, H, W) images and (N,) int64 labels; test may be None.

    classes : the name of each label. name : of the data.
    """

    train: ArrayDataset
    test: ArrayDataset | None
    classes: tuple[str, ...]
    name: str

    @property
    def image_dtype(self) -> str:
        """The name of the images' dtype: "uint8", or a floating one."""
        return self.train.arrays[0].dtype.name

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        channels, height, width = self.train.arrays[0].shape[1:]
        return channels, height, width


def require_memory(path: Path, what: str, needed: int, advice: str = "") -> None:
    """Raise DataFormatError where `needed` bytes are more than the machine has."""
    memory = _memory()
    if needed > memory:
        raise DataFormatError(
            f"{path}: {what} need {needed / 1e9:.1f} GB, more than the memory of this machine, {memory / 1e9:.1f} GB"
            + advice
        )


def _memory() -> float:
    """Of the machine, in bytes; infinity where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def checked(
    name: str,
    path: Path | str,
    parts: dict[str, tuple[np.ndarray, np.ndarray]],
    classes: tuple[str, ...] | None,
) -> ImageData:
    """Arrays that were read as ImageData; shapes, counts and labels are checked. parts : "train" and perhaps "test"."""
    shapes = {images.shape[1:] for images, _ in parts.values()}
    if len(shapes) > 1:
        raise DataFormatError(f"{path}: train and test images must have one shape, got {sorted(shapes)}")
    dtypes = sorted({str(images.dtype) for images, _ in parts.values()})
    if len(dtypes) > 1:
        raise DataFormatError(
            f"{path}: train and test images must have one dtype, got {' and '.join(dtypes)}"
        )
    for part, (images, labels) in parts.items():
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataFormatError(
                f"{path}: {part} labels must be integers of shape (N,), got {labels.dtype} {labels.shape}"
            )
        if len(images) != len(labels):
            raise DataFormatError(f"{path}: {part} has {len(images)} images but {len(labels)} labels")
        if len(images) == 0:
            raise DataFormatError(f"{path}: {part} has no images")
        if images.size == 0:
            raise DataFormatError(f"{path}: {part} images have no pixels, got shape {images.shape[1:]}")
        if images.dtype.kind == "f" and not (finite := np.isfinite(images).all(axis=(1, 2, 3))).all():
            raise DataFormatError(f"{path}: {part} image {finite.argmin()} holds NaN or infinite values")
    top = max(int(labels.max()) for _, labels in parts.values())
    low = min(int(labels.min()) for _, labels in parts.values())
    count = top + 1 if classes is None else len(classes)
    if low < 0 or top >= count or count > 1 << 20:
        raise DataFormatError(
            f"{path}: labels must be in [0, {min(count, 1 << 20)}), got {low if low < 0 else top}"
        )
    sets = {part: ArrayDataset(images, labels.astype(np.int64)) for part, (images, labels) in parts.items()}
    names = tuple(str(i) for i in range(count)) if classes is None else classes
    return ImageData(sets["train"], sets.get("test"), names, name)

"""Images in folders, one folder for each class."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from gpudl.data.readers._common import DataFormatError, ImageData, checked

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def image_folder(path: str | Path, image_size: int | tuple[int, int] | None = None) -> ImageData:
    """folder/class/image.png, or folder/train/class/... and folder/test/class/...; classes in alphabetical order.

    Files and folders whose names begin with a dot are passed over.

    image_size : side or (height, width) that all images are resized to (bilinear); None where all have one size.
    Images are grey where all are, else RGB. Raises DataFormatError that names the file, FileNotFoundError, and
    ImportError where Pillow is missing.
    """
    path = Path(path)
    roots = {part: path / part for part in ("train", "test") if (path / part).is_dir()}
    roots = roots if "train" in roots else {"train": path}
    classes = _classes(roots["train"])
    files = {part: _files(root, classes) for part, root in roots.items()}
    image = _pillow()
    everything = [file for found in files.values() for file, _ in found]
    size, mode = _common_form(image, everything, image_size)
    parts = {}
    for part, found in files.items():
        pixels = _all_pixels(path, image, [file for file, _ in found], size, mode)
        parts[part] = (pixels, np.array([label for _, label in found], np.int64))
    return checked(path.absolute().name, path, parts, classes)


def read_image(path: str | Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    """One image file as uint8 of `image_shape`: (C, H, W) with C of 1 (grey), 3 (RGB) or 4 (RGBA), resized (bilinear).

    Raises DataFormatError that names the file, ValueError for another C, and ImportError where Pillow is missing.
    """
    channels, height, width = image_shape
    if channels not in _MODES:
        raise ValueError(f"read_image: image_shape must have 1, 3 or 4 channels, got {image_shape}")
    image = _pillow()
    pixels = _pixels(image, Path(path), (width, height), _MODES[channels])
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def is_image_folder(path: Path) -> bool:
    root = path / "train" if (path / "train").is_dir() else path
    return any(map(_is_image, root.glob("*/*")))


def _classes(root: Path) -> tuple[str, ...]:
    """The names of the folders, each of which must hold an image."""
    names = _folders(root)
    if not names:
        raise FileNotFoundError(f"{root}: no folder for a class")
    for name in names:
        if not any(map(_is_image, (root / name).iterdir())):
            raise DataFormatError(f"{root / name}: no images of this class")
    return tuple(names)


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and not path.name.startswith(".")


def _files(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    unknown = sorted(set(_folders(root)) - set(classes))
    if unknown:
        raise DataFormatError(f"{root}: folders {unknown} are no classes of the training part")
    found = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((root / name).glob("*"))
        if _is_image(file)
    ]
    if not found:
        raise FileNotFoundError(f"{root}: no images in the folders of the classes")
    return found


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("image folders need Pillow: pip install 'gpudl[train]'") from error
    return Image


def _common_form(image: Any, files: list[Path], image_size: Any) -> tuple[tuple[int, int], str]:
    """(width, height) and mode of all images, read from their headers."""
    sizes: dict[tuple[int, int], Path] = {}
    grey = True
    for file in files:
        with _opened(image, file) as picture:
            sizes.setdefault(picture.size, file)
            grey = grey and picture.mode in ("1", "L", "I;16")
    mode = "L" if grey else "RGB"
    if image_size is not None:
        height, width = image_size if isinstance(image_size, tuple) else (image_size, image_size)
        return (width, height), mode
    if len(sizes) > 1:
        (first, one), (second, other) = list(sizes.items())[:2]
        raise DataFormatError(
            f"{other}: size {second[0]}x{second[1]} differs from {first[0]}x{first[1]} of {one}; give image_size"
        )
    return next(iter(sizes)), mode


def _opened(image: Any, file: Path) -> Any:
    try:
        return image.open(file)
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:
        raise DataFormatError(f"{file}: no image that Pillow reads: {error}") from error


def _upper_bytes(image: Any, picture: Any) -> Any:
    """A grey image of 16 bits as one of 8; Pillow would clip it."""
    return image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def _all_pixels(folder: Path, image: Any, files: list[Path], size: tuple[int, int], mode: str) -> np.ndarray:
    """(N, C, H, W)."""
    width, height = size
    channels = len(mode)
    needed = len(files) * height * width * channels
    if needed > _memory():
        raise DataFormatError(
            f"{folder}: {len(files)} images of {width}x{height} need {needed / 1e9:.1f} GB, more than the memory "
            f"of this machine, {_memory() / 1e9:.1f} GB; give a smaller image_size"
        )
    pixels = np.empty((len(files), height, width, channels), np.uint8)
    for row, file in zip(pixels, files, strict=True):
        row[...] = _pixels(image, file, size, mode).reshape(row.shape)
    return pixels.transpose(0, 3, 1, 2)


def _memory() -> float:
    """Of the machine, in bytes; infinity where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _pixels(image: Any, file: Path, size: tuple[int, int], mode: str) -> np.ndarray:
    with _opened(image, file) as picture:
        if picture.mode in ("I", "F"):
            raise DataFormatError(
                f"{file}: expected 8 or 16 bits a channel, got Pillow's mode {picture.mode}"
            )
        try:
            converted = (_upper_bytes(image, picture) if "16" in picture.mode else picture).convert(mode)
        except (OSError, ValueError, SyntaxError) as error:
            raise DataFormatError(f"{file}: damaged image: {error}") from error
    if converted.size != size:
        converted = converted.resize(size, image.Resampling.BILINEAR)
    return np.asarray(converted)

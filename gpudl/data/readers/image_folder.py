"""Images in folders, one folder for each class."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from gpudl.data.readers._common import DataFormatError, ImageData, checked, require_memory
from gpudl.ops import _arrays

_GREY = ("1", "L")
_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")  # 16 bits, by byte order
_UNSCALED = ("I", "F")  # 32 bits: Pillow would clip to 0..255, and nothing tells the range that was meant
_ORIENTATION = 0x0112  # EXIF's tag; below what Pillow calls the turn that undoes each of its values
_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
    7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_ON_THE_SIDE = (5, 6, 7, 8)  # swap height and width
# What Pillow raises on damaged files, besides DecompressionBombError.
_DAMAGE = (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, struct.error)
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def image_folder(path: str | Path, image_size: int | tuple[int, int] | None = None) -> ImageData:
    """folder/class/image.png, or folder/train/class/... and folder/test/class/...; classes in alphabetical order.

    Where there is no folder "test", "val" is the test part, as in ImageNet's layout; both beside "train" are refused.

    image_size : side or (height, width) that all images are resized to (bilinear); None where all have one size.
    Images are uint8, grey where all are, else RGB: 16-bit grey levels are divided by 257 and rounded, alpha channels
    are left out, photographs are turned as their EXIF orientation says, animations give their first frame. Names that
    begin with a dot are passed over.

    Raises DataFormatError that names the file (also for grey levels of 32 bits, whose range nobody knows),
    FileNotFoundError, ImportError where Pillow is missing, TypeError and ValueError for image_size.
    """
    path = Path(path)
    side = (
        None
        if image_size is None
        else _arrays.integers("image_folder", "image_size", image_size, 2, minimum=1)
    )
    roots = _roots(path)
    classes = _classes(roots["train"])
    files = {part: _files(root, classes) for part, root in roots.items()}
    image = _pillow()
    everything = [file for found in files.values() for file, _ in found]
    size, mode = _common_form(image, everything, side)
    parts = {}
    for part, found in files.items():
        pixels = _all_pixels(path, image, [file for file, _ in found], size, mode)
        parts[part] = (pixels, np.array([label for _, label in found], np.int64))
    return checked(path.absolute().name, path, parts, classes)


def _roots(path: Path) -> dict[str, Path]:
    """The folders of the training and the test part."""
    train, test, val = (path / name for name in ("train", "test", "val"))
    if not train.is_dir():
        return {"train": path}
    if test.is_dir() and val.is_dir():
        raise DataFormatError(f"{path}: expected one of the folders test and val beside train, got both")
    held_out = next((folder for folder in (test, val) if folder.is_dir()), None)
    return {"train": train} if held_out is None else {"train": train, "test": held_out}


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
    return any(_images(folder) for folder in _folders(root))


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.glob("*") if file.suffix.lower() in _ENDINGS and not file.name.startswith(".")
    )


def _classes(root: Path) -> tuple[str, ...]:
    folders = _folders(root)
    if not folders:
        raise FileNotFoundError(f"{root}: no folder for a class")
    empty = [folder.name for folder in folders if not _images(folder)]
    if empty:
        raise FileNotFoundError(f"{root}: no images in the folders {empty}; each folder is a class")
    return tuple(folder.name for folder in folders)


def _files(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    unknown = sorted({folder.name for folder in _folders(root)} - set(classes))
    if unknown:
        raise DataFormatError(f"{root}: folders {unknown} are no classes of the training part")
    found = [(file, label) for label, name in enumerate(classes) for file in _images(root / name)]
    if not found:
        raise FileNotFoundError(f"{root}: no images in the folders of the classes")
    return found


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("image folders need Pillow: pip install 'gpudl[train]'") from error
    return Image


def _common_form(image: Any, files: list[Path], side: tuple[int, ...] | None) -> tuple[tuple[int, int], str]:
    """(width, height) and mode of all images, read from their headers."""
    sizes: dict[tuple[int, int], Path] = {}
    grey = True
    for file in files:
        with _opened(image, file) as picture:
            width, height = picture.size
            on_the_side = _orientation(image, picture) in _ON_THE_SIDE
            sizes.setdefault((height, width) if on_the_side else (width, height), file)
            grey = grey and picture.mode in (*_GREY, *_GREY_16)
    mode = "L" if grey else "RGB"
    if side is not None:
        height, width = side
        return (width, height), mode
    if len(sizes) > 1:
        (first, one), (second, other) = list(sizes.items())[:2]
        raise DataFormatError(
            f"{other}: size {second[0]}x{second[1]} differs from {first[0]}x{first[1]} of {one}; give image_size"
        )
    return next(iter(sizes)), mode


def _orientation(image: Any, picture: Any) -> int:
    """Of the header, 1 where that cannot be read. Pillow turns TIFF files by itself; they have no "exif" there."""
    exif = image.Exif()
    try:
        exif.load(picture.info.get("exif", b""))
        return int(exif.get(_ORIENTATION, 1))
    except _DAMAGE:
        return 1


def _opened(image: Any, file: Path) -> Any:
    try:
        picture = image.open(file)
    except (*_DAMAGE, image.DecompressionBombError) as error:
        raise DataFormatError(f"{file}: no image that Pillow reads: {error}") from error
    if picture.mode in _UNSCALED:
        picture.close()
        raise DataFormatError(
            f"{file}: grey levels of 32 bits (mode {picture.mode!r}) have no known range; save it with 8 or 16"
        )
    return picture


def _in_8_bits(image: Any, picture: Any) -> Any:
    """16-bit grey levels as 8-bit ones; Pillow's own conversion clips them."""
    if picture.mode not in _GREY_16:
        return picture
    levels = np.asarray(picture).astype(np.uint32)
    return image.fromarray(((levels + 128) // 257).astype(np.uint8))


def _all_pixels(folder: Path, image: Any, files: list[Path], size: tuple[int, int], mode: str) -> np.ndarray:
    """(N, C, H, W)."""
    width, height = size
    channels = len(mode)
    needed = len(files) * height * width * channels
    require_memory(folder, f"{len(files)} images of {width}x{height}", needed, "; give a smaller image_size")
    pixels = np.empty((len(files), height, width, channels), np.uint8)
    for row, file in zip(pixels, files, strict=True):
        row[...] = _pixels(image, file, size, mode).reshape(row.shape)
    return pixels.transpose(0, 3, 1, 2)


def _pixels(image: Any, file: Path, size: tuple[int, int], mode: str) -> np.ndarray:
    with _opened(image, file) as picture:
        try:
            header, turn = picture.size, _TURNS.get(_orientation(image, picture))
            converted = _in_8_bits(image, picture).convert(mode)
        except _DAMAGE as error:
            raise DataFormatError(f"{file}: damaged image: {error}") from error
    if converted.size != header:
        raise DataFormatError(f"{file}: damaged image: size {converted.size}, {header} by its header")
    if turn is not None:
        converted = converted.transpose(image.Transpose[turn])
    if converted.size != size:
        converted = converted.resize(size, image.Resampling.BILINEAR)
    return np.asarray(converted)

"""Readers of image data: each a function of a path; `open_dataset` finds out which one."""

from __future__ import annotations

from pathlib import Path

from gpudl.data.readers._common import DataFormatError, ImageData
from gpudl.data.readers.cifar10 import cifar10, is_cifar10_folder
from gpudl.data.readers.digits import digits
from gpudl.data.readers.idx import idx_folder, is_idx_folder, read_idx
from gpudl.data.readers.image_folder import image_folder, is_image_folder
from gpudl.data.readers.npz import npz

__all__ = [
    "DataFormatError",
    "ImageData",
    "cifar10",
    "digits",
    "idx_folder",
    "image_folder",
    "npz",
    "open_dataset",
    "read_idx",
]


def open_dataset(source: str | Path, image_size: int | tuple[int, int] | None = None) -> ImageData:
    """Images from "digits", an .npz file, or a folder of MNIST's files, CIFAR-10's, or images by class.

    image_size : see `image_folder`; the other formats have one size and refuse it.
    Raises FileNotFoundError, or DataFormatError that says what was looked for.
    """
    path = Path(source)
    if str(source) != "digits" and not path.exists():
        raise FileNotFoundError(f"{source}: no such file or folder, and not the name 'digits'")
    folders = path.is_dir()
    if folders and not is_idx_folder(path) and not is_cifar10_folder(path) and is_image_folder(path):
        return image_folder(path, image_size)
    if image_size is not None:
        raise DataFormatError(
            f"open_dataset: image_size acts on folders of images only, got {image_size} for {source}"
        )
    if str(source) == "digits":
        return digits()
    if not folders and path.suffix == ".npz":
        return npz(path)
    if folders and is_idx_folder(path):
        return idx_folder(path)
    if folders and is_cifar10_folder(path):
        return cifar10(path)
    raise DataFormatError(
        f"{source}: expected an .npz file, or a folder with train-images-idx3-ubyte (MNIST), data_batch_1.bin "
        "(CIFAR-10) or a folder of images for each class"
    )

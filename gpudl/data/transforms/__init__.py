"""Transforms of whole image batches, with torchvision's names, arguments and meaning.

A transform is called with a batch (N, C, H, W) and gives a batch: alone, in a `Compose`, or as the `transform` of a
`DataLoader`, which also says which samples the batch holds and in which epoch. The numbers of a random transform
depend on its seed, its place in the Compose, the epoch and the sample alone, so the same images come out however
the batches are cut and whoever makes them. They are drawn on the host; pixels are computed where the images are.

A transform that is one operator on images says which and with what arguments (`Transform`), so a Compose makes one
call of neighbours on uint8 images, bit for bit as one after the other: `ops.image_augment`, one kernel on a GPU.
"""

from gpudl.data.transforms._base import RandomTransform, Transform
from gpudl.data.transforms.affine import RandomAffine, RandomRotation
from gpudl.data.transforms.color import ColorJitter
from gpudl.data.transforms.compose import Compose
from gpudl.data.transforms.crop import CenterCrop, RandomCrop
from gpudl.data.transforms.erase import RandomErasing
from gpudl.data.transforms.fitted import MinMax, Standardize
from gpudl.data.transforms.flip import RandomHorizontalFlip, RandomVerticalFlip
from gpudl.data.transforms.normalize import Normalize
from gpudl.data.transforms.resize import RandomResizedCrop, Resize

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "MinMax",
    "Normalize",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTransform",
    "RandomVerticalFlip",
    "Resize",
    "Standardize",
    "Transform",
]

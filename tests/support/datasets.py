"""Data sets and functions that worker processes can import."""

import os
import signal
import threading
import time
from typing import NamedTuple

import numpy as np


class Squares:
    """(i * i, i), by Python."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return np.array([index * index], np.float32), index


class Fails(Squares):
    def __getitem__(self, index):
        if index == 7:
            raise KeyError("sample seven is broken")
        return super().__getitem__(index)


class Dies(Squares):
    """The worker that is given sample 7 kills itself."""

    def __getitem__(self, index):
        if index == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


class Exits(Squares):
    """The worker that is given sample 7 leaves without a word."""

    def __getitem__(self, index):
        if index == 7:
            os._exit(3)
        return super().__getitem__(index)


class Zeros(Squares):
    """A number for each sample, many at once: requests are as long as the batches."""

    def __getitems__(self, indices):
        return [0] * len(indices)


class Point(NamedTuple):
    x: np.ndarray
    y: int


class Points(Squares):
    def __getitem__(self, index):
        return Point(*super().__getitem__(index))


class Sleeps(Squares):
    def __getitem__(self, index):
        if index == 7:
            time.sleep(3)
        return super().__getitem__(index)


def noise(images, *, indices, epoch):
    """Depends on the samples and the epoch alone."""
    return images + 1000 * epoch + indices[:, None]


def refuse(number):
    raise OSError(f"worker {number} cannot start")


def reverse(samples):
    return [sample[1] for sample in samples][::-1]


def locks(samples):
    """Nothing that can be sent to another process."""
    return [threading.Lock() for _ in samples]

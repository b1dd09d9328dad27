"""From what the user gives as a generator to one integer seed, and from that to numbers of one epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudl.random import Generator, _check_counter, default_generator

# Top word of the counter: layers and initialisation count from 0 under the same keys.
_DATA = 1


def seed_from(generator: Any) -> int:
    """The seed itself where `generator` is an int; else one drawn from it, or from the default generator."""
    if generator is None:
        generator = default_generator
    if isinstance(generator, Generator):
        return int(generator.numpy().integers(1 << 63))
    return _check_counter("seed", generator)


def check_generator(what: str, generator: Any, name: str = "generator") -> None:
    """Refuse what `seed_from` would not take."""
    if generator is None or isinstance(generator, Generator):
        return
    if isinstance(generator, bool) or not isinstance(generator, int | np.integer):
        raise TypeError(
            f"{what}: {name} must be a seed (int), a gpudl.random.Generator or None, "
            f"got {type(generator).__name__}"
        )
    if not 0 <= generator < 1 << 64:
        raise ValueError(f"{what}: {name} as a seed must be in [0, 2^64), got {generator}")


def epoch_numbers(seed: int, epoch: int) -> np.random.Generator:
    """A NumPy generator that depends on (seed, epoch) and on nothing else."""
    return np.random.Generator(
        np.random.Philox(
            key=np.array([seed, epoch], np.uint64), counter=np.array([0, 0, 0, _DATA], np.uint64)
        )
    )

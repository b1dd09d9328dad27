"""Random numbers from counters: (seed, stream, element index) gives the bits, nothing else does.

A `Generator` hands out stream numbers. Dropout and noise layers take one per forward, initialisation one per
tensor. So the state is two integers, it goes into checkpoints, and the same numbers come out on every
executor. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11.
"""

from __future__ import annotations

import os
import threading

import numpy as np

_SEED_LIMIT = 1 << 64


class Generator:
    """Hands out (seed, stream) pairs; every stream is a fresh sequence of random numbers.

    seed : int in [0, 2^64), or None for one from the operating system.
    """

    def __init__(self, seed: int | None = None):
        self._lock = threading.Lock()
        self.manual_seed(int.from_bytes(os.urandom(8), "little") if seed is None else seed)

    def manual_seed(self, seed: int) -> Generator:
        """Restart at stream 0 of `seed`; returns the generator."""
        self.seed = _check_counter("seed", seed)
        self._stream = 0
        return self

    def next_stream(self) -> tuple[int, int]:
        """(seed, stream), with a stream that this generator has not given out since it was seeded."""
        with self._lock:
            stream = self._stream
            self._stream += 1
        return self.seed, stream

    def numpy(self) -> np.random.Generator:
        """A NumPy generator on the next stream, for numbers drawn on the host (initialisation, shuffling)."""
        seed, stream = self.next_stream()
        return np.random.Generator(np.random.Philox(key=np.array([seed, stream], np.uint64)))

    def state_dict(self) -> dict[str, int]:
        """{"seed", "stream"}: plain ints."""
        return {"seed": self.seed, "stream": self._stream}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where the generator that gave `state` was."""
        if set(state) != {"seed", "stream"}:
            raise ValueError(f"Generator: state must have the keys 'seed' and 'stream', got {sorted(state)}")
        seed, stream = (_check_counter(name, state[name]) for name in ("seed", "stream"))
        self.seed, self._stream = seed, stream


def _check_counter(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"Generator: {name} must be an int, got {type(value).__name__}")
    if not 0 <= value < _SEED_LIMIT:
        raise ValueError(f"Generator: {name} must be in [0, 2^64), got {value}")
    return int(value)


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the generator that layers and initialisation use when they are given none."""
    return default_generator.manual_seed(seed)

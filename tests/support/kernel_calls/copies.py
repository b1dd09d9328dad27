"""Calls of the operators that move elements: concatenation, padding, memory orders."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import LENGTHS, Cost, aligned, flat


def last(shape, dtype, seed=0, offset=0):
    """Images whose memory is channels-last."""
    N, C, *rest = shape
    memory = aligned(random_array((N, *rest, C), dtype, seed=seed), offset)
    return np.moveaxis(memory, -1, 1)


# Rows and widths of the pieces: none, an empty one, whole vectors, widths of each unit, more than one launch takes.
PIECES = [(0, [2, 3]), (3, [0, 5, 1]), (7, [8, 24, 16]), (130, [4, 12]), (5, [2, 6]), (2, [1, 0] * 40 + [3])]
WIDE = [(33, [64, 128, 32])]


def join(pieces):
    def calls(dtype):
        for rows, widths in pieces:
            arrays = [aligned(random_array((rows, width), dtype, seed=i)) for i, width in enumerate(widths)]
            yield [arrays, aligned(random_array((rows, sum(widths)), dtype))], {}

    return calls


def cut(pieces):
    def calls(dtype):
        for (arrays, y), numbers in join(pieces)(dtype):
            yield [y, arrays], numbers

    return calls


PADDING = [
    ("zeros", (1, 2, 0, 3)), ("reflect", (3, 1, 2, 4)), ("replicate", (2, 0, 7, 1)), ("circular", (4, 4, 5, 2)),
]  # fmt: skip
IMAGES = [(0, 3, 5, 4), (2, 1, 5, 4), (2, 3, 5, 4), (1, 8, 9, 7), (3, 16, 6, 5)]


def padded(backward, paddings=PADDING, images=IMAGES):
    def calls(dtype):
        for mode, padding in paddings:
            left, right, top, bottom = padding
            for number, (N, C, H, W) in enumerate(images):
                offset = int(number == 3)  # off the 16-byte grid
                inner = last((N, C, H, W), dtype, 1, offset)
                outer = last((N, C, top + H + bottom, left + W + right), dtype, 2, offset)
                yield [outer, inner] if backward else [inner, outer], {"padding": padding, "mode": mode}

    return calls


# Matrices of (C, positions) thinner than a tile either way, square, with tails, of one row; then whole tiles.
SHAPES = [
    (0, 3, 5),
    (2, 3, 0, 4),
    (1, 1, 33),
    (2, 3, 37, 30),
    (2, 100, 2, 2),
    (1, 33, 31),
    (2, 31, 5, 7),
    (1, 70, 10, 10),
]
TILES = (2, 64, 8, 16)


def order(to_channels_last, shapes=(*SHAPES, TILES)):
    def calls(dtype):
        for kind in (dtype, np.uint8) if dtype == np.float32 else (dtype,):
            for shape in shapes:
                numbers = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 251
                contiguous, memory = aligned(numbers.astype(kind)), last(shape, kind)
                memory[...] = contiguous
                target = np.moveaxis(
                    aligned(np.zeros_like(memory.transpose(0, *range(2, len(shape)), 1))), -1, 1
                )
                yield (
                    [contiguous, target]
                    if to_channels_last
                    else [memory, aligned(np.zeros_like(contiguous))],
                    {},
                )

    return calls


def copies(dtype):
    for n, offset in LENGTHS:
        yield [flat(n, dtype, 0, offset), flat(n, dtype, 1)], {}


CALLS = {
    "concat_forward": join(PIECES),
    "concat_backward": cut(PIECES),
    "pad2d_forward": padded(backward=False),
    "pad2d_backward": padded(backward=True),
    "to_channels_last": order(to_channels_last=True),
    "to_contiguous": order(to_channels_last=False),
    "copy": copies,
}

# Channels in whole vectors. Zeros, because other modes read the edges of an image again (it is in L2 then); backward in
# any mode reads each gradient once.
PIXELS = [(2, 16, 9, 12)]
COSTS = {
    "concat_forward": Cost(join(WIDE)),
    "concat_backward": Cost(cut(WIDE)),
    "pad2d_forward": Cost(padded(False, PADDING[:1], PIXELS)),
    "pad2d_backward": Cost(padded(True, PADDING[1:2], PIXELS)),
    "to_channels_last": Cost(order(True, [(2, 3, 64, 32)])),
    "to_contiguous": Cost(order(False, [TILES])),
    "copy": Cost(copies),
}

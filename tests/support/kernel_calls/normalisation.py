"""Calls of the normalisations."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import Cost, aligned

# Rows, C: none; one value a channel; a partial wide row; several pieces of wide rows; several blocks side by side, the last
# one not whole.
BATCHES = [(0, 3), (1, 2), (33, 5), (3000, 3), (300, 64), (9, 1100)]
# The last is longer than what a team of threads holds in registers, in every dtype.
ROWS = [(0, 3), (3, 1), (70, 33), (300, 64), (5, 1100), (2, 17_001)]
SAMPLES = [
    ((0, 4, 6), 2),
    ((2, 1, 6), 3),
    ((3, 7, 5), 1),
    ((2, 5, 40), 8),
    ((2, 300, 64), 16),
    ((1, 3, 1100), 4),
]


def statistics_dtype(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def numbers(shape, dtype, seed):
    """Means if the seed is even, deviations or variances if it is odd."""
    values = random_array(shape, statistics_dtype(dtype), seed=seed)
    return aligned(values if seed % 2 == 0 else np.abs(values) + 0.5)


def filled(shape, dtype, seed=0, offset=0):
    return aligned(random_array(shape, dtype, seed=seed), offset)


def variants(shapes):
    """(shape, whether there are optional arrays, memory off the 16-byte grid)."""
    yield from ((shape, True, 0) for shape in shapes)
    yield shapes[2], False, 0
    yield shapes[4], True, 1


def batch_norm_forward(dtype, cases=None):
    for shape, whole, offset in cases or variants(BATCHES):
        channels = shape[1:]
        x, y = (filled(shape, dtype, seed, offset) for seed in (0, 9))
        statistics = [numbers(channels, dtype, seed) for seed in (2, 3)]
        vectors = [filled(channels, dtype, seed, offset) if whole else None for seed in (1, 2)]
        running = [numbers(channels, dtype, seed) if whole else None for seed in (4, 5)]
        batches = aligned(np.full((), 3, np.int64)) if whole else None
        momentum = None if whole and offset == 0 else 0.3
        yield [x, *vectors, y, *statistics, *running, batches], {"momentum": momentum, "eps": 0.01}


def batch_norm_inference(dtype, cases=None):
    for shape, whole, offset in cases or variants(BATCHES):
        channels = shape[1:]
        x, y = (filled(shape, dtype, seed, offset) for seed in (0, 9))
        vectors = [filled(channels, dtype, seed, offset) if whole else None for seed in (1, 2)]
        yield [x, *(numbers(channels, dtype, seed) for seed in (4, 5)), *vectors, y], {"eps": 0.01}


def gradients(inputs, vectors, dtype, whole, offset, wanted):
    """dx, dweight, dbias where they are wanted: a bit for each."""
    shapes = (inputs, vectors, vectors)
    return [
        filled(shape, dtype, 6 + i, offset) if whole or wanted >> i & 1 else None
        for i, shape in enumerate(shapes)
    ]


def backward(shapes, of_channels, of_statistics, cases=None, **more):
    """Calls (dy, x, mean, rstd, weight, dx, dweight, dbias), for each gradient alone too."""

    def calls(dtype):
        chosen = cases or [
            *((*variant, 7) for variant in variants(shapes)),
            *((shapes[2], False, 0, wanted) for wanted in (1, 2, 4)),
        ]
        for shape, whole, offset, wanted in chosen:
            x, dy = (filled(of_x(shape), dtype, seed, offset) for seed in (0, 1))
            vectors, statistics = of_channels(shape), of_statistics(shape)
            weight = filled(vectors, dtype, 2, offset) if whole else None
            results = gradients(x.shape, vectors, dtype, whole, offset, wanted)
            yield [dy, x, *(numbers(statistics, dtype, seed) for seed in (2, 3)), weight, *results], more

    return calls


def of_x(shape):
    """Group norm's cases have the number of groups beside the shape."""
    return shape[0] if isinstance(shape[0], tuple) else shape


def of_groups(shape):
    return shape[0][0], shape[1]


def layer_norm_forward(dtype, cases=None):
    for shape, whole, offset in cases or variants(ROWS):
        x, y = (filled(shape, dtype, seed, offset) for seed in (0, 9))
        vectors = [filled(shape[1:], dtype, seed, offset) if whole else None for seed in (1, 2)]
        yield [x, *vectors, y, *(numbers(shape[:1], dtype, seed) for seed in (2, 3))], {"eps": 0.01}


def group_norm_forward(dtype, cases=None):
    for shape, whole, offset in cases or variants(SAMPLES):
        x, y = (filled(of_x(shape), dtype, seed, offset) for seed in (0, 9))
        vectors = [filled(x.shape[2:], dtype, seed, offset) if whole else None for seed in (1, 2)]
        yield [x, *vectors, y, *(numbers(of_groups(shape), dtype, seed) for seed in (2, 3))], {"eps": 0.01}


def last(shape):
    return of_x(shape)[-1:]


CALLS = {
    "batch_norm_forward": batch_norm_forward,
    "batch_norm_inference": batch_norm_inference,
    "batch_norm_backward": backward(BATCHES, last, last),
    "batch_norm_inference_backward": backward(BATCHES, last, last, eps=0.01),
    "layer_norm_forward": layer_norm_forward,
    "layer_norm_backward": backward(ROWS, last, lambda shape: shape[:1]),
    "group_norm_forward": group_norm_forward,
    "group_norm_backward": backward(SAMPLES, last, of_groups),
}

# Numbers of a channel, group or row, which each thread that needs them loads; and partial results.
SMALL = frozenset(
    ["weight", "bias", "mean", "rstd", "running_mean", "running_var", "num_batches_tracked", "scratch"]
)
BATCH, ROW, SAMPLE = (4096, 64), (256, 768), ((4, 1024, 64), 16)


def backward_cost(shape, of_channels, of_statistics, **more):
    return Cost(backward(None, of_channels, of_statistics, [(shape, True, 0, 7)], **more), tables=SMALL)


def forward_cost(calls, shape):
    return Cost(lambda dtype: calls(dtype, [(shape, True, 0)]), tables=SMALL)


COSTS = {
    "batch_norm_forward": forward_cost(batch_norm_forward, BATCH),
    "batch_norm_inference": forward_cost(batch_norm_inference, BATCH),
    "batch_norm_backward": backward_cost(BATCH, last, last),
    "batch_norm_inference_backward": backward_cost(BATCH, last, last, eps=0.01),
    "layer_norm_forward": forward_cost(layer_norm_forward, ROW),
    "layer_norm_backward": backward_cost(ROW, last, lambda shape: shape[:1]),
    "group_norm_forward": forward_cost(group_norm_forward, SAMPLE),
    "group_norm_backward": backward_cost(SAMPLE, last, of_groups),
}

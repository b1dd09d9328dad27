"""Calls of the operators over rows of class scores: softmax, losses of rows, counts."""

import numpy as np

from tests.support.arrays import random_array
from tests.support.kernel_calls.base import LENGTHS, Cost, aligned, flat

# Rows of every kind: none, a single class, short ones in several blocks, a warp each, a block each, ones that do not fit
# the registers of a block; one set off the 16-byte grid.
SHAPES = [(0, 3), (3, 1), (417, 10), (9, 33), (9, 300), (3, 1030), (1, 8300), (5, 7)]
# Ten classes leave six of sixteen lanes idle and rows off the grid: the hardest to move in whole vectors.
MEASURED = [(400, 10)]


def sums_dtype(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def matrix(shape, dtype, seed=0, offset=0):
    return aligned(random_array(shape, dtype, seed=seed), offset)


def offset_of(shape):
    return int(shape == (5, 7))


def softmax_calls(inputs, shapes=SHAPES):
    def calls(dtype):
        for shape in shapes:
            yield [matrix(shape, dtype, seed, offset_of(shape)) for seed in range(inputs + 1)], {}

    return calls


def indices(rows, classes, *, wrong=True):
    """Of which one is ignored, and some are no classes."""
    target = np.random.default_rng(rows).integers(0, classes, rows)
    if wrong:
        target[:3] = [-100, classes, -1][: len(target[:3])]
    return aligned(target)


def row_buffers(shape, dtype, *, gradient):
    dx = matrix(shape, dtype, 9, offset_of(shape)) if gradient else None
    return [flat(shape[0], sums_dtype(dtype), 7), flat(shape[0], sums_dtype(dtype), 8), dx]


def class_loss_calls(dtype, **numbers):
    for number, shape in enumerate(SHAPES):
        x, target = matrix(shape, dtype, 0, offset_of(shape)), indices(*shape)
        for weight in (None, flat(shape[1], dtype, 3)):
            yield (
                [x, target, weight, *row_buffers(shape, dtype, gradient=number % 2)],
                {"ignore_index": -100} | numbers,
            )


def cross_entropy_calls(dtype):
    yield from class_loss_calls(dtype, label_smoothing=0.0)
    yield from class_loss_calls(dtype, label_smoothing=0.2)
    for number, shape in enumerate(SHAPES):
        x, target = (matrix(shape, dtype, seed, offset_of(shape)) for seed in (0, 1))
        weight = flat(shape[1], dtype, 3) if number % 3 else None
        yield (
            [x, target, weight, *row_buffers(shape, dtype, gradient=number % 2)],
            {
                "ignore_index": -100,
                "label_smoothing": 0.1,
            },
        )


def measured_cross_entropy(dtype):
    for shape in MEASURED:
        target = indices(*shape, wrong=False)
        yield (
            [matrix(shape, dtype), target, None, *row_buffers(shape, dtype, gradient=True)],
            {
                "ignore_index": -100,
                "label_smoothing": 0.0,
            },
        )


def reduce_calls(dtype):
    made = sums_dtype(dtype)
    for n, offset in [*LENGTHS, (8201, 0)]:
        loss, counted = (flat(n, made, seed, offset) for seed in (0, 1))
        for reduction in range(3):
            value = flat(1 if reduction else n, dtype, 8, offset)
            yield [loss, counted, value, flat(1, made, 9)], {"reduction": reduction}
    yield [flat(4, made), aligned(np.zeros(4, made)), flat(1, dtype), flat(1, made)], {"reduction": 1}


def two_vectors_of_losses(dtype):
    """A vector of half precision is two of float32: each request asks for half of its sectors, the rest is in L1."""
    return 2 if dtype.itemsize == 2 else 1


def scale_calls(dtype):
    for shape in [(0, 3), (7, 1), (5, 7), (33, 130)]:
        for rows in (1, shape[0]):
            arrays = [flat(rows, dtype, 1), flat(1, sums_dtype(dtype), 2)]
            yield [*arrays, matrix(shape, dtype, 3, offset_of(shape))], {}


def two_warps_of_rows(dtype):
    """No more, because each warp asks for the gradient and the factor."""
    yield [flat(1, dtype), flat(1, sums_dtype(dtype)), matrix((8, 128 // dtype.itemsize), dtype)], {}


def count_arrays(dtype, counts):
    """prediction, target and counts, with ties and NaN among the scores."""
    for shape in SHAPES:
        scores = np.random.default_rng(0).choice([-np.inf, -1, 0, 0.5, np.inf, np.nan], shape)
        start = aligned(np.ones(counts(shape), np.int64))
        yield [aligned(scores.astype(dtype), offset_of(shape)), indices(*shape), start], shape
    if dtype == np.float32:  # labels do not depend on it
        for n in (0, 1, 300):
            guess = np.random.default_rng(1).integers(-1, 5, n)
            yield [aligned(guess), indices(n, 4), aligned(np.ones(counts((n, 4)), np.int64))], (n, 1)


def top_k_calls(dtype):
    for arrays, shape in count_arrays(dtype, lambda shape: 2):
        for k in {1, min(3, shape[1])}:
            yield arrays, {"k": k, "ignore_index": None if k == 1 else -100}


def one_block_of_rows(dtype):
    """No more, because each block adds to the counts."""
    yield (
        [matrix((200, 10), dtype), indices(200, 10, wrong=False), aligned(np.zeros(2, np.int64))],
        {
            "k": 3,
            "ignore_index": None,
        },
    )


def confusion_calls(dtype):
    for arrays, shape in count_arrays(dtype, lambda shape: (shape[1], shape[1])):
        if shape[1] <= 300:  # the counts of more classes take megabytes
            yield arrays, {"ignore_index": -100 if shape[0] % 2 else None}


def sum_calls(dtype):
    for offset, shape in enumerate([(0, 3), (3, 0), (1, 1), (600, 1), (300, 3), (5, 33), (3, 1030)]):
        yield [matrix(shape, dtype, 0, offset % 2), aligned(np.ones(2))], {"weight": 0.5}


def measured_sum(dtype):
    """Two samples, because each writes its sum to a sector of its own."""
    yield [matrix((2, 1024), dtype), aligned(np.ones(2))], {"weight": 0.5}


CALLS = {
    "softmax_forward": softmax_calls(1),
    "softmax_backward": softmax_calls(2),
    "log_softmax_forward": softmax_calls(1),
    "log_softmax_backward": softmax_calls(2),
    "cross_entropy_forward": cross_entropy_calls,
    "nll_loss_forward": class_loss_calls,
    "loss_reduce": reduce_calls,
    "scale_rows": scale_calls,
    "top_k_correct": top_k_calls,
    "confusion_counts": confusion_calls,
    "sum_and_count": sum_calls,
}
COSTS = {
    "softmax_forward": Cost(softmax_calls(1, MEASURED)),
    "softmax_backward": Cost(softmax_calls(2, MEASURED)),
    "log_softmax_forward": Cost(softmax_calls(1, MEASURED)),
    "log_softmax_backward": Cost(softmax_calls(2, MEASURED)),
    "cross_entropy_forward": Cost(measured_cross_entropy),
    "loss_reduce": Cost(reduce_calls, two_vectors_of_losses),
    "scale_rows": Cost(two_warps_of_rows),
    "top_k_correct": Cost(one_block_of_rows),
    "sum_and_count": Cost(measured_sum),
}
WITHOUT_COST = {
    "nll_loss_forward": "it reads one score of each row, and the target of a row once for each of its vectors",
    "confusion_counts": "each sample adds to a counter by an atomic operation",
}

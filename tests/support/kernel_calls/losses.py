"""Calls of the losses over elements."""

import numpy as np

from tests.support.kernel_calls.base import LENGTHS, Cost, aligned, both, flat

# Beside the lengths of every elementwise kernel, one that takes several blocks to sum in every dtype.
SUMMED = [*LENGTHS, (8201, 0)]


def values(n, dtype, seed, offset=0):
    """In (0, 1): right for probabilities, their logarithms and logits alike."""
    return aligned((1 / (1 + np.exp(-np.asarray(flat(n, np.float64, seed))))).astype(dtype), offset)


def extra_arrays(n, dtype, offset, given):
    return [values(n, dtype, 5 + i, offset) if there else None for i, there in enumerate(given)]


def forward_calls(*given, **numbers):
    """`given` says of each extra array whether it is there."""

    def each(dtype):
        for n, offset in LENGTHS:
            arrays = [values(n, dtype, seed, offset) for seed in (0, 1)]
            yield (
                [*arrays, *extra_arrays(n, dtype, offset, given), flat(n, dtype, 9, offset), None],
                numbers | {"scale": 1.0},
            )

    return both(each, sum_calls(*given, **numbers))


def sum_calls(*given, **numbers):
    def calls(dtype):
        for n, offset in SUMMED:
            arrays = [values(n, dtype, seed, offset) for seed in (0, 1)]
            yield (
                [*arrays, *extra_arrays(n, dtype, offset, given), None, flat(1, dtype)],
                numbers | {"scale": 0.25},
            )

    return calls


def measured_sums(*given, **numbers):
    """Two blocks, because each writes its sum to a sector of its own."""

    def calls(dtype):
        n = 2 * 4 * 256 * 16 // dtype.itemsize
        arrays = [values(n, dtype, seed) for seed in (0, 1)]
        yield [*arrays, *extra_arrays(n, dtype, 0, given), None, flat(1, dtype)], numbers | {"scale": 0.25}

    return calls


def backward_calls(*given, shared=True, **numbers):
    def calls(dtype):
        for n, offset in LENGTHS:
            arrays = [values(n, dtype, seed, offset) for seed in (0, 1)]
            arrays += extra_arrays(n, dtype, offset, given)
            for length in (n, 1) if shared else (n,):
                gradient = flat(length, dtype, 8, offset)
                yield [*arrays, gradient, flat(n, dtype, 9, offset)], numbers | {"scale": 0.5}

    return calls


# Of each loss the extra arrays and numbers of its calls; the first is the one whose cost is measured.
LOSSES = {
    "mse_loss": [((), {})],
    "l1_loss": [((), {})],
    "smooth_l1_loss": [((), {"beta": 0.3}), ((), {"beta": 0.0})],
    "huber_loss": [((), {"delta": 0.4})],
    "kl_div": [((), {"log_target": False}), ((), {"log_target": True})],
    "binary_cross_entropy": [((True,), {}), ((False,), {})],
    "binary_cross_entropy_with_logits": [((True, True), {}), ((False, True), {}), ((False, False), {})],
}
CALLS, COSTS = {}, {}
for stem, forms in LOSSES.items():
    CALLS[f"{stem}_forward"] = both(*(forward_calls(*given, **numbers) for given, numbers in forms))
    CALLS[f"{stem}_backward"] = both(*(backward_calls(*given, **numbers) for given, numbers in forms))
    given, numbers = forms[0]
    COSTS[f"{stem}_forward"] = Cost(measured_sums(*given, **numbers))
    COSTS[f"{stem}_backward"] = Cost(backward_calls(*given, shared=False, **numbers))

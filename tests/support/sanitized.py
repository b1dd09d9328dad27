"""Run by test_simt_sanitizers.py in a process with the sanitizers' libraries: every kernel, then wrong calls at random."""

import importlib.util
import random
import sys
from pathlib import Path

import ml_dtypes
import numpy as np

from tests.support.tolerances import DTYPES
from tests.test_simt_checks import CALLS

KINDS = ["f2", "f4", "f8", ml_dtypes.bfloat16, "u1", "i4", "i8", "u4", "u8", "c8", ">f4", "?"]


def load(path):
    spec = importlib.util.spec_from_file_location(path.name.partition(".")[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_array(rng, size):
    """An array that fits more often than not, and else differs in dtype, shape, strides, alignment or the right to write."""
    array = np.zeros(size, rng.choice(KINDS[:4]) if rng.random() < 0.8 else rng.choice(KINDS))
    change = rng.randrange(12)
    if change == 0:
        array = np.zeros((size, 3), array.dtype)
    elif change == 1:
        array = np.zeros(2 * size, array.dtype)[::2]
    elif change == 2:
        array = array[::-1]
    elif change == 3:
        array.flags.writeable = False
    elif change == 4 and size:
        array = np.frombuffer(bytearray(array.nbytes + 1), np.uint8)[1:].view(array.dtype)
    elif change == 5:
        array = np.broadcast_to(array[:1], (2**40,)) if size else array
    return array


def random_argument(rng, name, size):
    if rng.random() < 0.03:
        return rng.choice([None, 1, "x", [1.0], b"bytes", np.float32(3)])
    if name == "segments":
        rows = rng.randrange(4)
        low, high = rng.choice([(0, max(1, size // 4)), (-3, 2**62)])
        return np.array([[rng.randint(low, high) for _ in range(3)] for _ in range(rows)], np.int64).reshape(
            rows, 3
        )
    if name == "hyperparameters":
        return np.full((rng.randrange(4), rng.choice([6, 8])), rng.choice([0.0, 0.5, np.nan, np.inf]))
    return random_array(rng, size)


def random_number(rng):
    return rng.choice([0, 1, 0.3, -1, 2**64 - 1, 2**64, 1e300, float("nan"), "1", None])


def fuzz(module, calls):
    rng = random.Random(0)
    passed = refused = 0
    for _ in range(calls):
        operator = getattr(module, rng.choice(module.__all__))
        size = rng.choice([0, 1, 5, 33, 400])
        kind = rng.choice(KINDS[:4])
        arguments, numbers = [], {}
        for name, parameter in operator.__signature__.parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                numbers[name] = random_number(rng)
                continue
            argument = random_argument(rng, name, size)
            fits = isinstance(argument, np.ndarray) and argument.ndim == 1 and rng.random() < 0.7
            arguments.append(argument.astype(kind) if fits and argument.size < 1000 else argument)
        try:
            operator(*arguments, **numbers)
            passed += 1
        except (TypeError, ValueError):
            refused += 1
    return passed, refused


def main():
    module = load(Path(sys.argv[1]))
    kernels = 0
    for operator, calls in CALLS.items():
        for dtype in DTYPES:
            for arrays, numbers in calls(dtype):
                getattr(module, operator)(*arrays, **numbers)
                kernels += 1
    passed, refused = fuzz(module, int(sys.argv[2]))
    assert passed > 100, f"only {passed} random calls were accepted"
    assert refused > 100, f"only {refused} random calls were refused"
    print(f"clean: {kernels} calls, {passed} random ones accepted, {refused} refused")


if __name__ == "__main__":
    main()

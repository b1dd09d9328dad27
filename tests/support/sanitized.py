"""Run by test_simt_sanitizers.py in a process with the sanitizers' libraries: every kernel, then wrong calls at random."""

import importlib.util
import random
import sys
from pathlib import Path

import ml_dtypes
import numpy as np

from tests.support.kernel_calls import CALLS
from tests.support.kernel_calls.base import copied
from tests.support.tolerances import DTYPES

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


def other_argument(rng, argument):
    """Something in the place of a right argument: no array, an array of another form, or of this one but changed."""
    if rng.random() < 0.1:
        return rng.choice([None, 1, "x", [1.0], b"bytes", np.float32(3), [np.zeros(3), None]])
    if isinstance(argument, list) and rng.random() < 0.7:
        changed = [*argument, random_array(rng, 5)]
        rng.shuffle(changed)
        return changed[: rng.randint(0, len(changed))]
    if argument is None or isinstance(argument, list) or rng.random() < 0.5:
        return random_array(rng, rng.choice([0, 1, 5, 33, 400]))
    change = rng.randrange(5)
    if change == 0:
        return argument.astype(rng.choice(KINDS))
    if change == 1:
        return argument[: rng.randint(0, len(argument))] if argument.ndim else argument.reshape(1)
    if change == 2:
        return argument.reshape(-1) if rng.random() < 0.5 else argument[None]
    if change == 3:  # an unlikely place for an integer or a number in a table
        wild = (
            [0, 1, -1, 2**31, -(2**63), 2**63 - 1]
            if argument.dtype.kind in "iu"
            else [0, -1, np.nan, np.inf, 1e300]
        )
        copy = argument.copy()
        if copy.size and copy.dtype.kind in "iuf":
            value = rng.choice(wild)
            if copy.dtype.kind in "iu":
                value = int(np.clip(value, *(np.iinfo(copy.dtype).min, np.iinfo(copy.dtype).max)))
            copy.reshape(-1)[rng.randrange(copy.size)] = value
        return copy
    return argument[::-1] if argument.ndim == 1 else argument.T


def other_number(rng, number):
    wild = [0, 1, 2, 0.3, -1, 2**31, 2**62, 2**64 - 1, 2**64, 1e300, float("nan"), "1", None]
    if isinstance(number, tuple) and rng.random() < 0.9:
        return tuple(rng.choice(wild[:9]) if rng.random() < 0.5 else item for item in number)
    return rng.choice(wild)


def fuzz(module, calls):
    """Right calls of which one argument or two are something else: each runs or raises, and none crashes."""
    rng = random.Random(0)
    passed = refused = 0
    right = [
        (operator, arrays, numbers)
        for operator, maker in CALLS.items()
        for dtype in DTYPES
        for arrays, numbers in maker(dtype)
    ]
    for _ in range(calls):
        operator, arrays, numbers = rng.choice(right)
        arguments, named = [copied(array) for array in arrays], dict(numbers)
        for place in rng.sample([*range(len(arguments)), *sorted(named)], rng.choice([1, 1, 2])):
            if isinstance(place, str):
                named[place] = other_number(rng, named[place])
            else:
                arguments[place] = other_argument(rng, arguments[place])
        try:
            getattr(module, operator)(*arguments, **named)
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

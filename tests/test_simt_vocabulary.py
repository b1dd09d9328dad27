"""Words of CUDA that users' kernels have and ours have not: the executor gives what CUDA's manual says."""

import functools
import operator
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gpudl import simt
from gpudl.bench import kernels

SOURCE = Path(__file__).parent / "kernels" / "vocabulary.cu"
N, FIRST = 192, 7  # threads of three blocks, and what they find first
LAST = 4


@functools.cache
def compiled(variant="check"):
    if (reason := simt.unavailable_because()) is not None:
        pytest.skip(f"simt: {reason}")
    return simt.compile(SOURCE, variant=variant)


def inc(old, last):
    return 0 if old >= last else old + 1


def dec(old, last):
    return last if old == 0 or old > last else old - 1


ATOMICS = {
    "atomicAdd": operator.add, "atomicSub": operator.sub, "atomicMax": max, "atomicMin": min,
    "atomicAnd": operator.and_, "atomicOr": operator.or_, "atomicXor": operator.xor, "atomicInc": inc,
    "atomicDec": dec, "atomicExch": lambda old, value: value, "atomicCAS": max,
}  # fmt: skip
SIGNED = {"atomicAdd", "atomicSub", "atomicMax", "atomicMin"}


def values_of(name):
    rng = np.random.default_rng(3)
    if name in SIGNED:
        return rng.integers(-1000, 1000, N).astype(np.int32)
    if name in ("atomicInc", "atomicDec"):
        return np.full(N, LAST, np.uint32)
    return rng.integers(0, 2**32, N).astype(np.uint32)


@pytest.mark.parametrize("name", ATOMICS)
def test_atomics(name):
    """In the order of the forward schedule, exactly; under others no update is lost and nothing is found."""
    module, values = compiled(), values_of(name)
    wrap = (lambda number: number) if name in SIGNED else (lambda number: number % 2**32)
    for order, seed in (("forward", 0), ("reverse", 0), ("random", 5)):
        module.clear()
        module.set_schedule(order, seed=seed)
        element, old = np.full(1, FIRST, values.dtype), np.zeros_like(values)
        getattr(module, f"launch_{name}")(element, values, old, N)
        assert [str(finding) for finding in module.findings()] == []
        # what a thread leaves, another one finds, or it is what is there at the end
        left = [
            wrap(ATOMICS[name](int(before), int(value))) for before, value in zip(old, values, strict=True)
        ]
        if name != "atomicCAS":  # whose threads may find what they leave
            assert sorted([*left, FIRST]) == sorted([*old.tolist(), int(element[0])])
        if order == "forward":
            found = FIRST
            for before, value in zip(old, values, strict=True):
                assert before == found
                found = wrap(ATOMICS[name](found, int(value)))
            assert element[0] == found
    module.set_schedule()


def test_reciprocal_square_roots():
    module = compiled()
    module.clear()
    x = np.array([1, 4, 2, 0.1, 3e-39, 1e38, 0, np.inf, -1, np.nan], np.float32)
    wide = np.array([1, 4, 2, 0.1, 1e-310, 1e300, 0, np.inf, -1, np.nan])
    single, overloaded, double = np.zeros_like(x), np.zeros_like(x), np.zeros_like(wide)
    module.launch_rsqrt(x, wide, single, overloaded, double, len(x))
    assert module.findings() == []
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(single, (1 / np.sqrt(x.astype(np.float64))).astype(np.float32))
        np.testing.assert_allclose(double, 1 / np.sqrt(wide), rtol=1e-15)
    np.testing.assert_array_equal(overloaded, single)


def test_atomics_on_floats_are_refused(tmp_path):
    if (reason := simt.unavailable_because()) is not None:
        pytest.skip(f"simt: {reason}")
    for name in ("atomicAdd", "atomicSub", "atomicMax"):
        source = tmp_path / f"{name}.cu"
        source.write_text(f"#include <simt.h>\n__global__ void k(float* x) {{ {name}(x, 1.0f); }}\n")
        with pytest.raises(simt.CompileError, match="floating-point atomics make results depend on timing"):
            simt.compile(source)


def test_nvcc_knows_the_same_words(tmp_path):
    nvcc = kernels._build_cuda().find_nvcc()
    if nvcc is None:
        pytest.skip("there is no nvcc")
    command = kernels.command_of(nvcc, SOURCE, (), ("-gencode=arch=compute_80,code=sm_80",))
    subprocess.run([*command, "-c", str(SOURCE), "-o", str(tmp_path / "o")], check=True)

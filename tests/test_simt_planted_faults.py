"""The checked executor finds each planted fault and names its place; the right version of the same kernel is clean."""

import concurrent.futures
import ctypes
import functools
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import gpudl
from gpudl import simt
from gpudl.simt import _build
from tests.support.arrays import assert_refuses

SOURCE = Path(__file__).parent / "kernels" / "planted_faults.cu"
SCHEDULES = [("forward", 0), ("reverse", 0), ("random", 1), ("random", 2)]


@functools.cache
def compiled(variant="check"):
    if (reason := simt.unavailable_because()) is not None:
        pytest.skip(f"simt: {reason}")
    return simt.compile(SOURCE, variant=variant)


@pytest.fixture
def planted():
    module = compiled()
    module.clear()
    module.set_schedule()
    yield module
    module.set_schedule()
    module.last_error()


def floats(n):
    """Aligned to 64 bytes, as memory of a GPU is."""
    memory = np.empty(4 * n + 64, np.uint8)
    start = -memory.ctypes.data % 64
    array = memory[start : start + 4 * n].view(np.float32)
    array[...] = np.arange(n)
    return array


def inputs(n=64, results=64):
    x = floats(n)
    x.flags.writeable = False
    return x, floats(results)


def source_line(words):
    """The number of the only line of the source that holds `words`."""
    numbers = [i for i, line in enumerate(SOURCE.read_text().splitlines(), 1) if words in line]
    assert len(numbers) == 1, f"{words!r} is on lines {numbers}"
    return f"{SOURCE.name}:{numbers[0]}"


def run(module, name, *arguments):
    """Launch; a fault that ends the kernel raises, and is among the findings as well."""
    ended_by = ""
    try:
        getattr(module, f"launch_{name}")(*arguments)
    except gpudl.CudaError as error:
        ended_by = error.text
    found = module.findings()
    assert not ended_by or any(finding.kind in ended_by for finding in found)
    return found


# kernel, kind, words of the line where it is noticed, words of the line of the earlier access
FAULTS = [
    ("missing_barrier", "data race", "y[threadIdx.x] = tile[kThreads - 1 - threadIdx.x];", None),
    ("shared_overrun", "out-of-bounds shared access", "tile[Right ? (threadIdx.x + 1) % kThreads", None),
    ("unwritten_shared", "read of unwritten memory", None, None),
    ("global_race", "data race", "y[target] = x[blockIdx.x];", "y[target] = x[blockIdx.x];"),
    ("misaligned_vector", "misaligned access", "reinterpret_cast<const float4*>(x", None),
    ("divergent_barrier", "divergent barrier", None, None),
    ("early_return", "divergent barrier", None, None),
    ("warp_in_step", "data race", "y[threadIdx.x] = tile[threadIdx.x ^ 1];", None),
    ("absent_lane", "shuffle from an absent lane", "__shfl_down_sync", None),
    ("async_copy", "async copy not waited for", None, "cp_async<4>"),
    ("written_input", "write to a read-only buffer", "target[threadIdx.x] = 1;", None),
    ("deadlock", "deadlock", None, None),
    (
        "nested_launch",
        "launch inside a kernel",
        "simt::launch({dim3(1), dim3(1), 0, nullptr}, empty_kernel);",
        None,
    ),
]


@pytest.mark.parametrize(("kernel", "kind", "line", "earlier"), FAULTS, ids=[row[0] for row in FAULTS])
@pytest.mark.parametrize(("order", "seed"), SCHEDULES, ids=str)
def test_fault(planted, kernel, kind, line, earlier, order, seed):
    planted.set_schedule(order, seed)
    found = [f for f in run(planted, kernel, *inputs(128), 0) if kind in f.kind]
    assert found, f"{kind} was not found"
    assert {finding.kernel for finding in found} == {f"{kernel}_kernel<false>"}
    lines = {finding.line for finding in found}
    assert all(place.startswith(f"{SOURCE.name}:") for place in lines)
    # In another order the same race is noticed at the other of its two accesses.
    if line is not None and (kind != "data race" or order == "forward"):
        assert source_line(line) in lines
    if earlier is not None:
        assert found[0].first.line == source_line(earlier)
    if kind == "data race":
        check_both_accesses(found, "'argument 1'" if kernel == "global_race" else "shared memory")


def check_both_accesses(found, location):
    for finding in found:
        first, second = finding.first, finding.second
        assert (first.block, first.thread) != (second.block, second.thread)
        assert "write" in (first.operation, second.operation)
        assert first.line.startswith(f"{SOURCE.name}:")
        assert finding.location.startswith(location)
        assert str(finding).startswith(f"data race in {finding.kernel} at {finding.line}")


@pytest.mark.parametrize("kernel", [row[0] for row in FAULTS])
@pytest.mark.parametrize(("order", "seed"), SCHEDULES, ids=str)
@pytest.mark.parametrize("eager", [False, True])
def test_the_right_version_is_clean(planted, kernel, order, seed, eager):
    planted.set_schedule(order, seed, eager_copies=eager)
    x, y = inputs(128)
    assert run(planted, kernel, x, y, 1) == []
    if kernel == "missing_barrier":
        assert np.array_equal(y, x[63::-1])


def test_global_overrun(planted):
    x, y = inputs(100, 100)
    assert run(planted, "global_overrun", x, y, 100, 1) == []
    assert np.array_equal(x, y)
    (finding,) = run(planted, "global_overrun", x, y, 100, 0)
    assert finding.kind == "out-of-bounds global access"
    assert finding.kernel == "global_overrun_kernel<false>"
    assert finding.line == source_line("y[i] = x[i];  // overruns")
    assert (finding.second.block, finding.second.thread) == ((1, 0, 0), (36, 0, 0))
    assert "at byte 400 of 400" in finding.location


@pytest.mark.parametrize("right", [1, 0])
def test_unwritten_global_memory(planted, right):
    x, y = inputs(100, 100)
    planted.register(y, "result", "write")  # what it holds counts as unwritten
    planted.launch_unwritten_global(x, y, 100, right)
    planted.forget(y)
    findings = planted.findings()
    if right:
        assert findings == []
        return
    (finding,) = findings
    assert finding.kind == "read of unwritten memory"
    assert finding.location.startswith("'result' at byte")
    assert finding.count == 100


@pytest.mark.parametrize(("order", "seed"), SCHEDULES, ids=str)
def test_hand_over_between_blocks(planted, order, seed):
    planted.set_schedule(order, seed)
    x, y = inputs(64, 5)
    counter = np.zeros(1, np.uint32)
    assert run(planted, "last_block", x, y, counter, 1) == []
    assert (y[0], counter[0]) == (6, 0)
    findings = run(planted, "last_block", x, y, counter, 0)
    assert {finding.kind for finding in findings} == {"data race"}
    assert "of another block" in findings[0].message


def test_a_fault_leaves_the_executor_usable(planted):
    x, y = inputs(128)
    for _ in range(3):
        assert_refuses(
            lambda: planted.launch_shared_overrun(x, y, 0), gpudl.CudaError, "out-of-bounds shared access"
        )
        planted.launch_missing_barrier(x, y, 1)
        assert np.array_equal(y, x[63::-1])


def test_threads_that_share_an_input(planted, monkeypatch):
    """Another thread's call begins while the first one is at work, and would go on after it."""
    (x, first), second, register = inputs(), floats(64), planted.register
    other_began, first_ended = threading.Event(), threading.Event()

    def register_and_wait(array, *name_and_use):
        register(array, *name_and_use)
        if array is first:
            calls.append(other.submit(planted.launch_missing_barrier, x, second, 1))
            other_began.wait(0.2)
        if array is second:
            other_began.set()
            first_ended.wait(0.2)

    monkeypatch.setattr(planted, "register", register_and_wait)
    calls = []
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        planted.launch_missing_barrier(x, first, 1)
        first_ended.set()
    assert calls[0].exception() is None
    assert np.array_equal([first, second], [x[::-1]] * 2)
    assert planted.findings() == []


def test_costs(planted):
    x, y = inputs(1024, 1024)
    planted.launch_column_read(x, y)
    reads = [line for line in planted.profile().lines if line.operation == "read"]
    assert [(line.requests, line.lanes, line.sectors, line.needed_sectors) for line in reads] == [
        (1, 32, 32, 4)
    ]
    bytes_read = {cost.name: (cost.read, cost.written) for cost in planted.profile().buffers}
    assert bytes_read == {"argument 0": (1024, 0), "argument 1": (0, 128)}


def test_launches(planted):
    x, y = inputs(1024, 1024)
    for _ in range(2):
        planted.launch_column_read(x, y)
    (launch,) = planted.profile().launches
    assert launch == simt.Launch("column_read_kernel", (1, 1, 1), (32, 1, 1), 0, 2)
    assert launch.threads == 32


@pytest.mark.parametrize(("offset", "written"), [(0, 128), (16, 128), (4, 160), (20, 160)])
def test_costs_do_not_depend_on_where_malloc_found_room(planted, offset, written):
    """malloc gives any multiple of 16 bytes, CuPy of 512; memory off the 16-byte grid lies across sectors."""
    memory = np.zeros(256, np.uint8)
    start = -memory.ctypes.data % 32 + offset
    y = memory[start : start + 128].view(np.float32)
    planted.launch_column_read(inputs(1024)[0], y)
    assert [cost.written for cost in planted.profile().buffers if cost.written] == [written]


@pytest.mark.parametrize(("padded", "factor"), [(0, 32), (1, 1)])
def test_bank_conflicts(planted, padded, factor):
    planted.launch_bank_conflict(*inputs(1024, 1024), padded)
    shared = {line.operation: line for line in planted.profile().lines if line.space == "shared"}
    assert shared["write"].passes == factor * shared["write"].needed_passes
    assert shared["read"].passes == shared["read"].needed_passes == 32


def test_shared_memory_limit(planted):
    planted.set_shared_memory_limit(128)
    try:
        assert_refuses(
            lambda: planted.launch_missing_barrier(*inputs(), 1),
            gpudl.CudaError,
            "'tile' a block uses 256 bytes",
        )
    finally:
        planted.set_shared_memory_limit()


def test_a_launch_that_asks_for_too_much_shared_memory(planted):
    """A GPU refuses it although the kernel uses none."""
    planted.launch_empty(232448)
    assert planted.findings() == []
    assert_refuses(
        lambda: planted.launch_empty(232449), gpudl.CudaError, "the launch asks for 232449 bytes; the limit"
    )
    (finding,) = planted.findings()
    assert (finding.kind, finding.kernel) == ("too much shared memory", "empty_kernel")


def test_example_finds_its_race(capsys):
    compiled()  # or the reason why not
    example = Path(__file__).parents[1] / "examples" / "simt" / "reverse.py"
    exec(
        compile(example.read_text(), str(example), "exec"), {"__file__": str(example), "__name__": "example"}
    )
    printed = capsys.readouterr().out
    assert "data race in reverse_kernel at reverse.cu:" in printed
    assert re.search(r"global read: \d+ sectors, 128 needed", printed)


SCALE = """#include <simt.h>
#include <factor.h>
__global__ void scale_kernel(float* y, bool twice) { y[threadIdx.x] *= twice ? FACTOR * FACTOR : FACTOR; }
extern "C" void launch_scale(float* y, bool twice) {
  simt::launch({dim3(1), dim3(4), 0, nullptr}, scale_kernel, y, twice);
}
"""


def test_the_file_as_it_is_now(tmp_path):
    """Another file of the same name, in a folder with a blank, and one whose header was edited after it was loaded."""
    compiled()
    modules = []
    for folder, factor in (("one", 2), ("the other", 3), ("one", 5)):
        source, header = tmp_path / folder / "scale.cu", tmp_path / f"{folder} include" / "factor.h"
        for path, text in ((source, SCALE), (header, f"#define FACTOR {factor}.0f\n")):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        modules.append(simt.compile(source, variant="fast", include=[header.parent]))
    y = np.ones(4, np.float32)
    for module in modules:
        module.launch_scale(y, False)
    assert y.tolist() == [2 * 3 * 5] * 4
    modules[-1].launch_scale(y, np.bool_(True))
    assert y.tolist() == [2 * 3 * 5**3] * 4
    for folder in {module.path.parents[1] for module in modules}:
        shutil.rmtree(folder)


def test_lines_of_a_file_in_a_folder_with_a_blank(tmp_path):
    compiled()
    source = tmp_path / "my kernels" / "reverse.cu"
    source.parent.mkdir()
    shutil.copy(SOURCE.parents[2] / "examples" / "simt" / "reverse.cu", source)
    module = simt.compile(source)
    module.launch_reverse(*inputs(256, 256), 256)
    assert all(finding.line.startswith("reverse.cu:") for finding in module.findings())
    assert module.findings()
    shutil.rmtree(module.path.parents[1])


def test_the_command_names_the_library_it_made():
    compiled()
    command = [sys.executable, "-m", "gpudl.simt", str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=SOURCE.parents[2])
    library = Path(done.stdout.splitlines()[0])
    assert library == _build.build_file(SOURCE.resolve(), "check", ())
    assert hasattr(ctypes.PyDLL(library), "launch_missing_barrier")


def test_bad_calls():
    module = compiled()
    x, y = inputs()
    assert_refuses(
        lambda: module.launch_missing_barrier(x[::2], y, 1), ValueError, "argument 0 must be C-contiguous"
    )
    assert_refuses(
        lambda: module.launch_missing_barrier(x, "y", 1), TypeError, "argument 1 must be an array or a number"
    )
    for argument, exception, words in (
        (2**63, ValueError, "argument 2 must be an int in [-2^63, 2^63), got 9223372036854775808"),
        (np.int8(1), TypeError, "argument 2 must be an array or a number (bool, int,"),
        (x.astype(">f4"), TypeError, "argument 2 must hold numbers in the byte order of this machine"),
        (np.array([None]), TypeError, "got dtype('O')"),
    ):
        assert_refuses(functools.partial(module.launch_missing_barrier, x, y, argument), exception, words)
    assert_refuses(
        lambda: module.register(y[::2], "y", "write"), ValueError, "array must be C-contiguous, got strides"
    )
    for use in ("append", ["read"]):
        assert_refuses(
            functools.partial(module.register, y, "y", use),
            ValueError,
            "use must be one of read, write, update",
        )
    assert_refuses(lambda: module.register([1], "y", "read"), TypeError, "an array of NumPy's, got list")
    assert_refuses(lambda: module.register(y, 1, "read"), TypeError, "name must be a string, got 1")
    for unknown in (y, [1]):
        assert_refuses(functools.partial(module.forget, unknown), ValueError, "array is not registered")
    for seed in (-1, 2**64, 0.5):
        assert_refuses(
            functools.partial(module.set_schedule, "random", seed),
            ValueError,
            "seed must be an int in [0, 2^64)",
        )
    assert_refuses(lambda: module.launch_nothing(x), AttributeError, 'no extern "C" function launch_nothing')
    assert_refuses(
        lambda: module.set_schedule("sideways"), ValueError, "order must be one of forward, reverse, random"
    )
    assert_refuses(
        lambda: module.set_schedule(eager_copies="no"), TypeError, "eager_copies must be a bool, got str"
    )
    for limit in (-1, 232449, 1e5):
        assert_refuses(
            functools.partial(module.set_shared_memory_limit, limit),
            ValueError,
            f"in [0, 232448], got {limit!r}",
        )
    assert_refuses(lambda: simt.compile("no_such_file.cu"), FileNotFoundError, "there is no file")
    assert_refuses(lambda: simt.compile(None), TypeError, "source must be the path of a .cu file, got None")
    for include in ("abc", None, [1]):
        assert_refuses(
            functools.partial(simt.compile, SOURCE, include=include),
            TypeError,
            f"a tuple of folders, got {include!r}",
        )
    assert_refuses(
        lambda: simt.compile(SOURCE, include=["no_such_folder"]), NotADirectoryError, "there is no folder"
    )
    for variant in ("slow", ["fast"]):
        assert_refuses(
            functools.partial(simt.compile, SOURCE, variant=variant),
            ValueError,
            "variant must be one of fast, check, asan",
        )


def test_a_compiler_error_is_shown(tmp_path):
    compiled()
    bad = tmp_path / "bad.cu"
    bad.write_text("#include <simt.h>\nint wrong = nothing;\n")
    assert_refuses(lambda: simt.compile(bad), simt.CompileError, "bad.cu:2")
    shutil.rmtree(_build.objects_folder() / "simt" / "check" / "user" / _build.place_of(bad))

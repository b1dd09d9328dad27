"""The pool: blocks come back after their last view, aligned, and bounded in all."""

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

import gpudl
from gpudl import _memory

F4 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def _empty_pool():
    gpudl.free_memory()
    yield
    gpudl.free_memory()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 5), (7,), (100_000,), (33, 31, 129)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_shape_dtype_and_alignment(shape, dtype):
    array = _memory.empty(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    array[...] = 1
    assert array.sum(dtype=float) == array.size
    if array.nbytes >= _memory.SMALLEST_POOLED:
        assert array.ctypes.data % _memory.ALIGNMENT == 0


def test_memory_is_used_again_only_after_the_last_view():
    first = _memory.empty((1 << 18,), F4)
    address = first.ctypes.data
    view = first[10:20]
    del first
    assert _memory.empty((1 << 18,), F4).ctypes.data != address
    view[...] = 5
    del view
    addresses = {_memory.empty((1 << 18,), F4).ctypes.data for _ in range(2)}
    assert address in addresses


def test_live_arrays_never_share():
    arrays = [_memory.empty((20_000 + i,), F4) for i in range(50)]
    for i, array in enumerate(arrays):
        array[...] = i
    assert all((array == i).all() for i, array in enumerate(arrays))


def test_arrays_made_and_dropped_in_many_threads():
    failures = []

    def work(name):
        for _ in range(200):
            array = _memory.empty((30_000,), F4)
            array[...] = name
            if not (array == name).all():
                failures.append(name)

    workers = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


def test_free_memory_says_how_much(monkeypatch):
    array = _memory.empty((1 << 20,), F4)
    assert gpudl.free_memory() == 0
    del array
    gc.collect()
    assert gpudl.free_memory() >= 4 << 20
    assert gpudl.free_memory() == 0


def test_what_is_kept_is_bounded_when_more_is_asked_of_the_system(monkeypatch):
    monkeypatch.setattr(_memory, "LARGEST_KEPT", 1 << 20)
    arrays = [_memory.empty((1 << 16,), F4) for _ in range(16)]
    del arrays
    _memory.empty((1 << 16,), F4)  # of what is kept
    assert gpudl.free_memory() == 16 << 18
    arrays = [_memory.empty((1 << 16,), F4) for _ in range(16)]
    del arrays
    large = _memory.empty((1 << 20,), F4)
    assert gpudl.free_memory() == 0
    del large


def test_arrays_that_live_to_the_end_of_the_process_die_silently():
    code = "import numpy, gpudl; x = numpy.ones((64, 1000), 'f'); y = gpudl.ops.relu_forward(x); z = [y, [y]]; z.append(z)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("nbytes", [1 << 16, (1 << 16) + 1, 100_003, 1 << 20, (1 << 20) + 1, 12_345_678])
def test_size_classes_waste_at_most_an_eighth(nbytes):
    size = _memory._size_class(nbytes)
    assert nbytes <= size <= max(nbytes * 9 / 8, nbytes + 4096)
    assert _memory._size_class(size) == size

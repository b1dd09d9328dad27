"""Which executor runs what, and what is said where one is missing."""

import os
import subprocess
import sys
import types

import ml_dtypes
import numpy as np
import pytest

import gpudl
from gpudl import _backend, nn, ops
from gpudl.simt import _build, _compile
from tests.support.arrays import assert_refuses, bad_calls

X = np.ones((2, 3), np.float32)
W = np.ones((4, 3), np.float32)


def missing(name):
    """Not there at all: one that was built from other sources is refused in other words."""
    reason = _backend.unavailable_because(name)
    return reason is not None and "other kernel sources" not in reason


def test_numpy_arrays_run_on_numpy():
    assert gpudl.current_backend() == "cpu"
    assert _backend.executor(X).__name__ == "gpudl._numpy"


def test_use_backend_acts_at_once_and_ends_with_its_block():
    with gpudl.use_backend("cpu"):
        assert gpudl.current_backend() == "cpu"
    choice = gpudl.use_backend("cpu")
    assert gpudl.current_backend() == "cpu"
    choice.__exit__()


@pytest.mark.parametrize("name", ["simt", "cuda"])
def test_a_missing_executor_says_why_and_changes_nothing(name):
    if not missing(name):
        pytest.skip(f"{name} is there")
    if name == "simt":
        assert_refuses(lambda: gpudl.use_backend(name), gpudl.BackendError, "this install of gpudl has no")
    else:
        assert_refuses(lambda: nn.Linear(2, 3, device=name), gpudl.BackendError, "has no gpudl._cuda")
    assert gpudl.current_backend() == "cpu"
    ops.linear_forward(X, W)


class FakeCupyArray:
    """Stands for an array of another library: neither NumPy nor CuPy."""

    shape, dtype, ndim = (2, 3), np.dtype(np.float32), 2


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("simt", "`python -m gpudl.simt`"), ("cuda", "`pip install .`")],
    ids=["simt", "cuda"],
)
def test_kernels_of_another_version_are_refused(monkeypatch, name, remedy):
    """Such as a module that an upgrade of the package has left in its folder."""
    left = types.ModuleType(f"gpudl._{name}")
    left.__file__ = f"/somewhere/_{name}.so"
    monkeypatch.setitem(sys.modules, left.__name__, left)
    monkeypatch.delitem(_backend._loaded, name, raising=False)
    words = f"backend '{name}': /somewhere/_{name}.so was built from other kernel sources than those of this gpudl. {remedy}"
    for digest in (None, "0" * 64):
        if digest is not None:
            left.__sources__ = digest
        assert_refuses(lambda: gpudl.use_backend(name), gpudl.BackendError, words)
        assert words in _backend.unavailable_because(name)
    left.__sources__ = _compile.sources_digest(_build.sources())
    with gpudl.use_backend(name):
        assert gpudl.current_backend() == name
    del _backend._loaded[name]  # not by monkeypatch, which would put it back


def test_without_sources_there_is_nothing_to_compare(monkeypatch):
    monkeypatch.setattr(_build, "sources", lambda: None)
    assert _build.is_current(types.ModuleType("gpudl._cuda"))


def test_environment_chooses_the_backend():
    code = "import gpudl; print(gpudl.current_backend())"
    assert run_python(code, GPUDL_DEVICE="cpu").stdout.strip() == "cpu"
    assert run_python(code, GPUDL_DEVICE="simt").stdout.strip() == "simt"


@pytest.mark.parametrize(
    "need",
    [
        "gpudl.current_backend()",
        "gpudl.ops.relu_forward(np.ones(3))",
        "gpudl.nn.Linear(2, 3)",
        "gpudl.random.default_generator and gpudl.ops.philox_uint32(0, 0, 0, 4)",
    ],
)
def test_no_backend_in_the_environment_is_refused_where_one_is_needed(need):
    code = f"import numpy as np, gpudl\nwith gpudl.use_backend('cpu'): {need}\nprint('chosen')\n{need}"
    result = run_python(code, GPUDL_DEVICE="tpu")
    assert (result.returncode, result.stdout) == (1, "chosen\n")
    assert result.stderr.endswith("\nValueError: GPUDL_DEVICE: expected one of cpu, simt, cuda, got 'tpu'\n")


@pytest.mark.parametrize("command", [["info"], ["train"], ["bench", "--list"]], ids=" ".join)
def test_the_command_line_says_so_in_a_line(command):
    for name in ("tpu", ""):
        result = subprocess.run(
            [sys.executable, "-m", "gpudl", *command], capture_output=True, text=True, check=False,
            env={**os.environ, "GPUDL_DEVICE": name},
        )  # fmt: skip
        assert (result.returncode, result.stdout) == (2, "")
        words = f"GPUDL_DEVICE: expected one of cpu, simt, cuda, got {name!r}"
        assert result.stderr == f"gpudl {command[0]}: {words}\n"


def test_a_missing_backend_from_the_environment_is_named_at_the_first_operator():
    if not missing("simt"):
        pytest.skip("simt is there")
    code = "import gpudl, numpy as np; gpudl.ops.linear_backward_bias(np.ones((2, 3), np.float32))"
    result = run_python(code, GPUDL_DEVICE="simt")
    assert result.returncode != 0
    assert "backend 'simt': this install of gpudl has no gpudl._simt" in result.stderr


def test_import_needs_no_optional_package():
    heavy = ("matplotlib", "rich", "sklearn", "PIL", "torch", "cupy", "scipy")
    code = f"import sys, gpudl; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


@bad_calls(
    (
        "unknown name",
        lambda: gpudl.use_backend("gpu"),
        ValueError,
        "expected one of 'cpu', 'simt', 'cuda', got 'gpu'",
    ),
    ("no string", lambda: gpudl.use_backend(None), ValueError, "got None"),
    (
        "foreign array",
        lambda: ops.linear_forward(FakeCupyArray(), W),
        TypeError,
        "x must be a NumPy or CuPy array",
    ),
    (
        "foreign weight",
        lambda: ops.linear_forward(X, FakeCupyArray()),
        TypeError,
        "weight must be a NumPy or CuPy",
    ),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_memory_in_its_own_order_is_contiguous(axes, dtype):
    array = np.zeros((2, 3, 4, 5), dtype).transpose(axes)
    order = _backend.axes_in_memory(array)
    memory = array.transpose(order)
    assert memory.flags.c_contiguous
    assert memory.transpose(np.argsort(order)).strides == array.strides


def test_arrays_of_one_axis_and_of_none_have_an_order():
    assert _backend.axes_in_memory(np.zeros(3)) == [0]
    assert _backend.axes_in_memory(np.zeros(())) == []

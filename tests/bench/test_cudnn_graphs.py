"""cuDNN's graphs: every graph of the workloads is built and planned by cuDNN itself, for an H100 that is not there."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpudl.bench import operators
from gpudl.bench.contender import CONTENDERS, UnsupportedError
from gpudl.bench.cudnn_graphs import Layout, Mode, Plans
from gpudl.bench.operators import conv2d
from gpudl.bench.operators.conv2d_cuda import CUDNN
from gpudl.bench.problem import OPERATORS

ROOT = Path(__file__).resolve().parents[2]
DTYPES = ("float32", "float16", "bfloat16")


def missing():
    for module, package in (("cudnn", "nvidia-cudnn-frontend"), ("nvidia.cudnn", "nvidia-cudnn-cu13")):
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"{package} is not installed"
    return None if shutil.which("gcc") else "there is no gcc for a libcuda.so.1 that knows of no device"


needs_cudnn = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def channels_last(shape, dtype):
    layout = Layout.channels_last(shape, dtype)
    return [layout.shape, layout.strides, dtype]


def vector(count, dtype="float32"):
    layout = Layout.channels(count, dtype)
    return [layout.shape, layout.strides, dtype]


@pytest.fixture(autouse=True)
def no_memory(monkeypatch):
    """Inputs are shapes only: those of all tables are many gigabytes."""
    monkeypatch.setattr(conv2d, "activations", lambda rng, *shape: np.broadcast_to(np.float32(0), shape))


def convolution(problem, dtype, mode, build=False):
    """The request of a problem's graph."""
    settings = dict(problem.settings)
    inputs = {name: array.shape for name, array in problem.inputs(np.random.default_rng(0)).items()}
    arrays = {name: channels_last(shape, dtype) for name, shape in inputs.items() if len(shape) == 4}
    if problem.operator == "conv2d_forward":
        (n, _, h, w), (k, _, r, s) = inputs["x"], inputs["weight"]
        extents = [
            (size + 2 * settings["padding"] - taps) // settings["stride"] + 1
            for size, taps in ((h, r), (w, s))
        ]
        arrays |= {"bias": vector(k, dtype), "y": channels_last((n, k, *extents), dtype)}
    else:
        name = {"conv2d_backward_data": "dx", "conv2d_backward_weight": "dweight"}[problem.operator]
        shape = settings.pop({"dx": "x_shape", "dweight": "weight_shape"}[name])
        arrays[name] = channels_last(shape, dtype)
    return {
        "operator": problem.operator,
        "arrays": arrays,
        "settings": settings,
        "mode": vars(mode),
        "build": build,
    }


def batch_norm(operator, shape, dtype, relu):
    like, channels = channels_last(shape, dtype), vector(shape[1])
    names = {
        "batch_norm_forward": "x y | weight bias mean var saved_mean saved_rstd next_mean next_var",
        "batch_norm_backward": "dy x dx | weight bias mean rstd dweight dbias",
        "batch_norm_inference": "x y | weight bias mean rstd",
    }[operator]
    big, small = names.split("|")
    arrays = {**dict.fromkeys(big.split(), like), **dict.fromkeys(small.split(), channels)}
    return {"operator": operator, "arrays": arrays, "settings": {"relu": relu}, "mode": {}, "build": False}


def asked(requests):
    """What cuDNN answers."""
    lines = "\n".join(map(json.dumps, requests))
    command = [sys.executable, "-m", "tests.support.cudnn_offline"]
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(answers) == len(requests), done.stdout + done.stderr[-2000:]
    return answers


def convolution_problems(quick):
    operators.load()
    problems = [
        problem
        for name in ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight")
        for problem in OPERATORS[name].problems()
        if "cuda" in problem.devices and (problem.quick or not quick)
    ]
    assert problems
    return problems


@needs_cudnn
@pytest.mark.parametrize("quick", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["quick", "all"])
def test_convolutions_have_plans(quick):
    requests = [
        convolution(problem, dtype, mode)
        for problem in convolution_problems(quick)
        for dtype in DTYPES
        for mode in ((Mode(), Mode(tensor_cores=True)) if dtype == "float32" else (Mode(),))
    ]
    without = [
        (request["operator"], request["arrays"], answer["error"])
        for request, answer in zip(requests, asked(requests), strict=True)
        if "error" in answer
    ]
    assert without == []


@needs_cudnn
@pytest.mark.slow
@pytest.mark.parametrize("mode", [mode for mode, best in CUDNN.values() if best], ids=lambda mode: mode.words)
def test_plans_of_every_mode_can_be_built(mode):
    """Of the telling sizes, on every contender's terms: workspace, determinism, no tensor cores for IEEE's float32."""
    dtypes = ("float32",) if mode.tensor_cores else DTYPES
    requests = [
        convolution(problem, dtype, mode, build=True)
        for problem in convolution_problems(quick=True)
        for dtype in dtypes
    ]
    without = [
        (request["operator"], request["arrays"], answer["error"])
        for request, answer in zip(requests, asked(requests), strict=True)
        if "error" in answer
    ]
    assert without == []


@needs_cudnn
def test_modes_leave_plans_out():
    """Float32 without tensor cores, and deterministic sums, have fewer plans that can be built, and some."""
    problem = next(
        each for each in convolution_problems(quick=True) if each.operator == "conv2d_backward_weight"
    )
    modes = [
        Mode(deterministic=False),
        Mode(),
        Mode(tensor_cores=True),
        Mode(tensor_cores=True, deterministic=False),
    ]
    answers = asked([convolution(problem, "float32", mode, build=True) for mode in modes])
    any_order, strict, tf32, everything = (set(answer["plans"]) for answer in answers)
    assert strict < any_order < everything
    assert strict < tf32 < everything


@needs_cudnn
@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_has_plans(dtype):
    shape = (32, 64, 56, 56)
    requests = [
        batch_norm(operator, shape, dtype, relu)
        for operator in ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference")
        for relu in (False, True)
    ]
    answers = dict(
        zip([(each["operator"], each["settings"]["relu"]) for each in requests], asked(requests), strict=True)
    )
    for case in (("batch_norm_forward", False), ("batch_norm_forward", True), ("batch_norm_backward", False)):
        assert answers[case].get("plans"), (case, answers[case])
    # cuDNN has engines for the others on some devices only; what it has not is said in one line.
    for answer in answers.values():
        assert "plans" in answer or answer["error"].startswith("cuDNN: ")
        assert "\n" not in answer.get("error", "")


def test_layouts_are_of_the_memory():
    x = np.zeros((2, 5, 7, 3), np.float32).transpose(0, 3, 1, 2)
    assert Layout.of(x) == Layout.channels_last((2, 3, 5, 7), "float32") == Layout(
        (2, 3, 5, 7), (105, 1, 21, 3), "float32"
    )  # fmt: skip
    assert Layout.of(np.zeros(3, np.float16)) == Layout((1, 3, 1, 1), (3, 1, 3, 3), "float16")
    assert Layout.of(np.zeros((4, 6), np.float32)) == Layout((4, 6, 1, 1), (6, 1, 6, 6), "float32")
    assert Layout.of(np.zeros((4, 6, 5), np.float32)) == Layout((4, 6, 5, 1), (30, 5, 1, 6), "float32")


@pytest.mark.parametrize(
    ("mode", "dtype", "notes"),
    [
        (Mode(), "float32", {"TENSOR_CORE", "DOWN_CONVERT_INPUTS", "NONDETERMINISTIC"}),
        (Mode(tensor_cores=True), "float32", {"NONDETERMINISTIC"}),
        (Mode(), "bfloat16", {"NONDETERMINISTIC"}),
        (Mode(deterministic=False), "float16", set()),
    ],
)
def test_what_a_mode_excludes(mode, dtype, notes):
    assert set(mode.excluded(dtype)) == notes | {"REDUCED_PRECISION_REDUCTION"}


def test_a_mode_says_what_sets_it_apart():
    assert Mode().words == "workspace up to 256 MiB"
    assert Mode(True, False).words == "workspace up to 256 MiB, products in TF32, not deterministic"


def test_the_fastest_plan_is_found_once_and_failing_ones_are_listed():
    found = Plans(graph=None, built={0: "first", 3: "broken", 4: "quick"}, failed=["eng9 (no)"])
    asked_for = []

    def seconds(index):
        asked_for.append(index)
        if index == 3:
            raise RuntimeError("cudnnBackendExecute failed\nand a page more")
        return {0: 2.0, 4: 1.0}[index]

    assert found.find_fastest(seconds) == 4
    assert found.find_fastest(seconds) == 4
    assert asked_for == [0, 3, 4]
    assert found.failed == ["eng9 (no)", "broken (cudnnBackendExecute failed)"]


def test_no_plan_that_runs_is_no_way_of_doing_it():
    found = Plans(graph=None, built={0: "only"}, failed=[])
    with pytest.raises(UnsupportedError, match="no plan runs; failed: only"):
        found.find_fastest(lambda index: 1 / 0)


def test_contenders_are_registered_with_what_sets_them_apart():
    operators.load()
    for operator in ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weight"):
        of_cudnn = {name: each for name, each in CONTENDERS[operator].items() if name in CUDNN}
        assert set(of_cudnn) == set(CUDNN)
        for name, each in of_cudnn.items():
            assert each.devices == ("cuda",)
            assert "workspace" in each.difference
            assert ("TF32" in each.difference) == (each.math == "tf32") == ("TF32" in name)
            assert ("not deterministic" in each.difference) == ("any order" in name)
        assert CONTENDERS[operator]["PyTorch TF32"].math == "tf32"
    for operator in ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"):
        assert {"cuDNN", "cuDNN best"} <= set(CONTENDERS[operator])


def test_a_row_names_its_plan_and_a_few_of_those_that_failed():
    assert Plans(None, {2: "eng7"}, []).words(2) == "plan eng7, one of 1"
    found = Plans(None, {2: "eng7", 3: "eng8"}, [f"eng{i} (no)" for i in range(10, 17)])
    assert found.words(3) == (
        "plan eng8, one of 2; failed: eng10 (no); eng11 (no); eng12 (no); eng13 (no); eng14 (no) and 2 more"
    )

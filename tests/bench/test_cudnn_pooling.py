"""cuDNN's pooling by ctypes: its declarations against cuDNN's own header, its descriptors by cuDNN itself."""

import ctypes
import importlib.util
import re
from pathlib import Path

import pytest

from gpudl import ops
from gpudl.bench import cudnn_pooling
from gpudl.bench.contender import UnsupportedError
from gpudl.ops import _pool


def installed():
    """The folder of nvidia-cudnn, None where it is not installed."""
    if (
        importlib.util.find_spec("nvidia") is None
        or (spec := importlib.util.find_spec("nvidia.cudnn")) is None
    ):
        return None
    return Path(next(iter(spec.submodule_search_locations)))


needs_cudnn = pytest.mark.skipif(installed() is None, reason="nvidia-cudnn-cu13 is not installed")


@pytest.fixture(scope="module")
def headers():
    folder = installed() / "include"
    return "\n".join(path.read_text() for path in sorted(folder.glob("cudnn_*.h")))


@pytest.fixture(scope="module")
def library():
    return cudnn_pooling.load()


def c_type(declaration):
    """An argument of the header as ctypes has it: descriptors and handles are pointers, enumerations ints."""
    words = re.sub(r"/\*.*?\*/|\bconst\b", " ", declaration).strip()
    kind, stars = words.split()[0].rstrip("*"), words.count("*")
    opaque = kind.endswith(("Descriptor_t", "Handle_t")) or kind in ("cudaStream_t", "cudnnHandle_t", "void")
    pointers = stars + opaque - (kind == "void")
    if pointers == 0:
        return ctypes.c_int
    if kind == "int":
        return ctypes.POINTER(ctypes.c_int)
    return ctypes.c_void_p if pointers == 1 else ctypes.POINTER(ctypes.c_void_p)


@needs_cudnn
@pytest.mark.parametrize("name", cudnn_pooling.SIGNATURES)
def test_arguments_are_those_of_the_header(name, headers):
    found = re.search(rf"\b{name}\(([^;]*?)\);", headers)
    assert found, f"{name} is not in the headers"
    expected = tuple(map(c_type, re.sub(r"/\*.*?\*/", "", found[1]).split(",")))
    assert cudnn_pooling.SIGNATURES[name] == expected


@needs_cudnn
@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("cudnnPoolingForward", "handle poolingDesc alpha xDesc x beta yDesc y"),
        ("cudnnPoolingBackward", "handle poolingDesc alpha yDesc y dyDesc dy xDesc x beta dxDesc dx"),
        ("cudnnSetTensor4dDescriptor", "tensorDesc format dataType n c h w"),
        (
            "cudnnSetPooling2dDescriptor",
            "poolingDesc mode maxpoolingNanOpt windowHeight windowWidth verticalPadding horizontalPadding "
            "verticalStride horizontalStride",
        ),
    ],
)
def test_arguments_come_in_the_order_of_the_header(name, order, headers):
    found = re.search(rf"\b{name}\(([^;]*?)\);", headers)
    arguments = re.sub(r"/\*.*?\*/", "", found[1]).split(",")
    assert [each.split()[-1].lstrip("*") for each in arguments] == order.split()


@needs_cudnn
def test_numbers_are_those_of_the_header(headers):
    names = {
        "CUDNN_DATA_FLOAT": cudnn_pooling.DATA_TYPES["float32"],
        "CUDNN_DATA_DOUBLE": cudnn_pooling.DATA_TYPES["float64"],
        "CUDNN_DATA_HALF": cudnn_pooling.DATA_TYPES["float16"],
        "CUDNN_DATA_BFLOAT16": cudnn_pooling.DATA_TYPES["bfloat16"],
        "CUDNN_TENSOR_NHWC": cudnn_pooling.NHWC,
        "CUDNN_PROPAGATE_NAN": cudnn_pooling.PROPAGATE_NAN,
        "CUDNN_POOLING_MAX": cudnn_pooling.MODES["max"],
        "CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING": cudnn_pooling.MODES["average"],
        "CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING": cudnn_pooling.MODES["average without padding"],
        "CUDNN_POOLING_MAX_DETERMINISTIC": cudnn_pooling.MODES["max deterministic"],
    }
    for name, value in names.items():
        assert re.search(rf"\b{name}( CUDNN_DEPRECATED_ENUM)?\s*=\s*(\d+)", headers)[2] == str(value), name


@needs_cudnn
@pytest.mark.parametrize("dtype", cudnn_pooling.DATA_TYPES)
@pytest.mark.parametrize("mode", cudnn_pooling.MODES)
@pytest.mark.parametrize(
    "settings",
    [{"kernel_size": 2, "stride": 2, "padding": 0}, {"kernel_size": 3, "stride": 2, "padding": 1}],
    ids=["2x2", "3x3"],
)
def test_descriptors_describe_our_pooling(library, settings, mode, dtype):
    """The extents that cuDNN finds are ours, which it does of a right window, padding and stride only."""
    shape = (3, 5, 17, 30)
    window = cudnn_pooling.pooling(library, mode, settings)
    x = cudnn_pooling.tensor(library, shape, dtype)
    size = _pool.output_size("", shape[2:], _pool.window("", **settings), False)
    assert cudnn_pooling.result_shape(library, window, x) == (3, 5, *size)


@needs_cudnn
def test_tensors_lie_channels_last(library):
    x = cudnn_pooling.tensor(library, (2, 3, 5, 7), "bfloat16")
    numbers = [ctypes.c_int() for _ in range(9)]
    library._library.cudnnGetTensor4dDescriptor(x.pointer, *map(ctypes.byref, numbers))
    assert [number.value for number in numbers] == [9, 2, 3, 5, 7, 105, 1, 21, 3]


@needs_cudnn
def test_a_refusal_says_what_cudnn_says(library):
    with pytest.raises(RuntimeError, match="cudnnSetPooling2dDescriptor: CUDNN_STATUS_BAD_PARAM"):
        cudnn_pooling.pooling(library, "max", {"kernel_size": 0, "stride": 1, "padding": 0})


def test_a_machine_without_the_library_is_told(monkeypatch):
    monkeypatch.setattr(cudnn_pooling, "_places", lambda: ["/nowhere/libcudnn.so.9"])
    cudnn_pooling.load.cache_clear()
    with pytest.raises(UnsupportedError, match=r"cuDNN's C library: /nowhere/libcudnn\.so\.9"):
        cudnn_pooling.load()
    cudnn_pooling.load.cache_clear()


def test_averages_count_the_padding_as_ours_do_by_default():
    assert ops.avg_pool2d_forward.__kwdefaults__["count_include_pad"] is True
    assert cudnn_pooling.MODES["average"] == 1

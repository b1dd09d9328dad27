"""A user's file of CUDA kernels as a contender: by g++ and the CPU executor for NumPy arrays, by nvcc for CuPy's."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from gpudl import _backend, simt
from gpudl._errors import CudaError
from gpudl.simt import _build, _compile
from gpudl.simt._arguments import as_c
from gpudl.simt._compile import CompileError, Unit

# What a library of kernels is asked besides its launchers.
_SUPPORT = """#include <simt.h>

extern "C" void gpudl_set_stream(void* stream) { simt::default_stream = static_cast<simt::Stream>(stream); }

extern "C" const char* gpudl_last_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}
"""


SOURCES: list[
    Path
] = []  # of all kernels so far, and their headers: a run notes those that its contenders compile
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


class Kernels:
    """A file of kernels. Its extern "C" functions are attributes; the arrays of a call say where it runs.

    Arguments are those of `gpudl.simt`: arrays become pointers and must be C-contiguous, np.float32(2) is a float, a
    float a double, np.int32(2) an int, an int a std::int64_t. On a GPU, launches that name no stream go to CuPy's
    current one. What was not compiled yet is compiled by the first call.
    """

    def __init__(self, source: Path, include: tuple[Path, ...]):
        self._source, self._include = source, include
        self._modules: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*arguments: Any) -> None:
            on_gpu = any(map(_backend.is_cupy, arguments))
            getattr(self._module("cuda" if on_gpu else "simt"), name)(*arguments)

        return call

    def _module(self, executor: str) -> Any:
        if executor not in self._modules:
            made = _CudaModule if executor == "cuda" else _simt_module
            self._modules[executor] = made(self._source, self._include)
        return self._modules[executor]


def compile(source: str | Path, *, include: tuple[str | Path, ...] = ()) -> Kernels:
    """The launchers of a .cu file, which includes <simt.h> (docs/simt.md), for NumPy and for CuPy arrays.

    include : folders to search for headers. FileNotFoundError or NotADirectoryError where there is no such file or
    folder. What a compiler says, or that there is none, is a `gpudl.simt.CompileError` of the first call.
    """
    path, folders = _build.found("bench.compile", source, include)
    SOURCES.extend(_with_headers(path, folders))
    return Kernels(path, folders)


def _with_headers(source: Path, folders: tuple[Path, ...]) -> list[Path]:
    """The file and those that it includes in quotes, and what they include, where they lie beside them or in `folders`;
    the others are gpudl's, or a compiler's."""
    found = [source]
    for path in found:  # which grows
        for name in _INCLUDE.findall(path.read_text(encoding="utf-8", errors="replace")):
            places = ((folder / name).resolve() for folder in (path.parent, *folders))
            header = next(filter(Path.is_file, places), None)
            if header is not None and header not in found:
                found.append(header)
    return found


def memory(array: Any) -> Any:
    """The elements of a dense array in the order in which they lie in memory: what a launcher can be given."""
    return array.transpose(_backend.axes_in_memory(array))


def _simt_module(source: Path, include: tuple[Path, ...]) -> simt.Module:
    return simt.compile(source, variant="fast", include=include)


class _CudaModule:
    """The library that nvcc makes of a file, called with CuPy arrays."""

    def __init__(self, source: Path, include: tuple[Path, ...]):
        self._path = build(source, include)
        self._library = ctypes.CDLL(str(self._path))
        self._library.gpudl_set_stream.argtypes = (ctypes.c_void_p,)
        self._library.gpudl_last_error.restype = ctypes.c_char_p

    def __getattr__(self, name: str) -> Callable[..., None]:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise AttributeError(f'{self._path.name} has no extern "C" function {name}') from None
        function.restype = None

        def call(*arguments: Any) -> None:
            import cupy

            converted = [
                as_c(name, i, argument, cupy.ndarray, lambda array: array.data.ptr)
                for i, argument in enumerate(arguments)
            ]
            self._library.gpudl_set_stream(cupy.cuda.get_current_stream().ptr)
            function(*converted)
            if error := self._library.gpudl_last_error():
                raise CudaError(name, self._path.name, 0, error.decode())

        return call


def build(source: Path, include: tuple[Path, ...] = ()) -> Path:
    """Compile a file by nvcc for the GPU at hand, where it has changed; returns the library."""
    build_cuda = _build_cuda()
    nvcc = build_cuda.find_nvcc()
    if nvcc is None:
        raise CompileError("no nvcc was found (CUDACXX, CUDA_HOME, PATH)")
    folder = _build.objects_folder() / "bench" / _build.place_of(source)
    folder.mkdir(parents=True, exist_ok=True)
    support = folder / "support.cu"
    support.write_text(_SUPPORT)
    command = command_of(nvcc, source, include, build_cuda.code_flags(build_cuda.architectures()))
    units = [Unit(path, command, folder / f"{path.name}.o") for path in (source, support)]
    link = (nvcc, "-shared", "-cudart", "static", "-Xcompiler", "-fPIC")
    library = folder / f"{source.stem}.so"
    _compile.build(units, link, library, lock=folder / "lock")
    return library


def command_of(
    nvcc: str, source: Path, include: tuple[Path, ...], code: tuple[str, ...]
) -> tuple[str, ...]:  # fmt: skip
    """Without the names of input and output. Products and sums are contracted as nvcc does by default."""
    csrc = _build.sources()
    folders = (csrc, csrc / "simt", source.parent, *include)
    return (nvcc, "-std=c++17", "-O3", "-Xcompiler", "-fPIC", *(f"-I{folder}" for folder in folders), *code)


def _build_cuda() -> ModuleType:
    """csrc/build_cuda.py, which setup.py uses too."""
    if (csrc := _build.sources()) is None:
        raise CompileError("this install of gpudl has no kernel sources (csrc)")
    spec = importlib.util.spec_from_file_location("build_cuda", csrc / "build_cuda.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

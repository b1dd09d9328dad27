"""CUDA kernels on the CPU: run them with NumPy arrays and find races, bad accesses and wasted memory traffic.

gpudl's own kernels run there under `gpudl.use_backend("simt")`; `python -m gpudl.simt` builds them. A kernel of yours
goes through it in three steps:

    module = gpudl.simt.compile("reverse.cu")    # g++ only: neither CUDA nor a GPU is needed
    module.launch_reverse(x, y, x.size)          # an extern "C" function of the file, which launches the kernel
    for finding in module.findings(): print(finding)

The file includes <simt.h> (csrc/simt), which under nvcc is CUDA itself and under g++ CUDA's words, and differs from
other CUDA in three places: `simt::launch(simt::LaunchConfig{grid, block, shared_bytes, stream}, kernel, arguments...)`
in place of <<<>>>, `SHARED_MEMORY(tile, float[32][33])` in place of __shared__, `DYNAMIC_SHARED_MEMORY(name, float)`.
examples/simt/reverse.cu is one, with a planted race.

gpudl's own operators go through the checked build inside `with gpudl.simt.checked() as executor:`, and
`executor.findings()` and `executor.profile()` tell of them.

What it cannot show: time, occupancy, and what __launch_bounds__ does. Code that relies on a warp running in step
without __syncwarp is reported as a race.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gpudl import _backend
from gpudl._errors import CudaError
from gpudl.simt import _build
from gpudl.simt._arguments import as_c
from gpudl.simt._build import VARIANTS, build_own, module_path, unavailable_because
from gpudl.simt._compile import CompileError
from gpudl.simt._executor import Access, BufferCost, Executor, Finding, Launch, LineCost, Profile

__all__ = [
    "VARIANTS",
    "Access",
    "BufferCost",
    "CompileError",
    "Executor",
    "Finding",
    "Launch",
    "LineCost",
    "Module",
    "Profile",
    "build_file",
    "build_own",
    "checked",
    "compile",
    "module_path",
    "unavailable_because",
]


# A call registers its arrays by address, and the error that it asks for is the library's: with another call between
# these, the one would forget an array of the other, or raise what the other did.
_one_call_at_a_time = threading.Lock()


class Module(Executor):
    """A compiled file of kernels. Its extern "C" functions are attributes; calling one runs what it launches.

    An array argument becomes a pointer and must be C-contiguous; it is what the kernels may touch during the call, for
    reading only where the array is read-only, unless `register` has said more of it. np.float32(2) is passed as float,
    a float as double, np.int32(2) as int, an int as std::int64_t, a bool as bool. How many arguments a function takes,
    and of which types, only its source knows: nobody can check them. A launch that fails, or a kernel that is ended by
    what it did, raises `gpudl.CudaError`. Calls of several threads take turns.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            function = getattr(self.library, name)
        except AttributeError:
            raise AttributeError(f'{self.path.name} has no extern "C" function {name}') from None
        function.restype = None

        def call(*arguments: Any) -> None:
            converted = [
                as_c(name, i, argument, np.ndarray, lambda array: array.ctypes.data)
                for i, argument in enumerate(arguments)
            ]
            with _one_call_at_a_time:
                arrays = [
                    (f"argument {i}", argument)
                    for i, argument in enumerate(arguments)
                    if isinstance(argument, np.ndarray) and not self.is_registered(argument)
                ]
                for label, array in arrays:
                    self.register(array, label, "update" if array.flags.writeable else "read")
                try:
                    function(*converted)
                finally:
                    for _, array in arrays:
                        self.forget(array)
                error = self.last_error()
            if error:
                raise CudaError(name, self.path.name, 0, error)

        return call


def compile(source: str | Path, *, variant: str = "check", include: tuple[str | Path, ...] = ()) -> Module:
    """Compile a .cu file by g++ with the executor, where it has changed, and load it.

    variant : "check" finds faults and counts traffic; "fast" only runs; "asan" adds the compiler's sanitizers, and its
    process must be started with their libraries in LD_PRELOAD. include : folders to search for headers.
    Raises CompileError with what the compiler said, or with the reason why there is none.
    """
    library = build_file(source, variant=variant, include=include)
    made = library.stat()
    return Module(_held(library, made.st_ino, made.st_mtime_ns))


def build_file(source: str | Path, *, variant: str = "check", include: tuple[str | Path, ...] = ()) -> Path:
    """`compile` without loading; returns the library, which the next build of this file overwrites."""
    path, folders = _build.found("gpudl.simt.compile", source, include)
    return _build.build_file(path, variant, folders)


@functools.cache
def _held(library: Path, inode: int, changed: int) -> Path:
    """A copy of what the compiler made, until the process ends.

    A process that has loaded a path gets the same code again, whatever lies there since; and the findings of a module
    that is still used need its file for their source lines.
    """
    folder = tempfile.mkdtemp(prefix="loaded-", dir=library.parent)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(shutil.copy2(library, folder))


@contextlib.contextmanager
def checked(order: str = "forward", seed: int = 0, *, eager_copies: bool = False) -> Iterator[Executor]:
    """Run gpudl's operators on NumPy arrays through the checked kernels, built where they have changed.

    order, seed, eager_copies : the schedule, see `Executor.set_schedule`. Yields the executor, its findings and profile
    empty. Raises CompileError where it cannot be built.
    """
    executor = _own_checked()
    executor.clear()
    executor.set_schedule(order, seed, eager_copies=eager_copies)
    try:
        with _backend.simt_from(executor.path):
            yield executor
    finally:
        executor.set_schedule()


@functools.cache
def _own_checked() -> Executor:
    """Once a process: a library that is loaded cannot be loaded again."""
    build_own("check")
    return Executor(module_path("check"))

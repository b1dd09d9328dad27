"""`gpudl info`: what is installed, which executors work here, and why one does not."""

from __future__ import annotations

import argparse
import importlib.util

from gpudl import _backend
from gpudl.cli import run_folder as folder

DESCRIPTION = "Say what is installed, which executors work on this machine, and why one does not."

_EXECUTORS = {
    "cpu": "NumPy arrays, arithmetic in NumPy",
    "simt": "NumPy arrays, the CUDA kernels run on the CPU",
    "cuda": "CuPy arrays, the CUDA kernels on the GPU",
}
# Modules of the extra [train], and the packages that bring them.
_TRAIN = {
    "rich": "rich", "matplotlib": "matplotlib", "sklearn": "scikit-learn", "PIL": "Pillow", "tomlkit": "tomlkit",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options."""


def main(arguments: argparse.Namespace) -> int:
    about = folder.environment()
    print(f"gpudl {about['gpudl']}, Python {about['python']}, {about['platform']}")
    print(
        f"{about['processor']}, {about['cores']} cores, {about['threads']} threads used, BLAS: {about['blas']}"
    )
    print(", ".join(f"{name} {version}" for name, version in about["packages"].items()))
    print("\nexecutors")
    for backend, words in _EXECUTORS.items():
        reason = _backend.unavailable_because(backend)
        print(f"  {backend:<5} {'works: ' + words if reason is None else 'no: ' + reason}")
        if backend == "cuda":
            print("".join(f"        {line}\n" for line in _about_cuda(works=reason is None)), end="")
    missing = [package for module, package in _TRAIN.items() if importlib.util.find_spec(module) is None]
    state = f"lacks {', '.join(missing)}: pip install 'gpudl[train]'" if missing else "complete"
    print(f"\nextras\n  [train] {state}")
    return 0


def _about_cuda(*, works: bool) -> list[str]:
    """What the kernels were compiled for, where there are any, and the GPUs, where they can run."""
    compiled = _backend.compiled_architectures()
    lines = [f"compiled for {', '.join(compiled)}"] if compiled else []
    if works:
        import cupy

        runtime = cupy.cuda.runtime
        for number in range(runtime.getDeviceCount()):
            properties = runtime.getDeviceProperties(number)
            lines.append(
                f"GPU {number}: {properties['name'].decode()}, compute capability "
                f"{properties['major']}.{properties['minor']}, {properties['totalGlobalMem'] / 2**30:.0f} GiB"
            )
        lines.append(f"driver for CUDA {_version(runtime.driverGetVersion())}, CuPy {cupy.__version__}")
    return lines


def _version(number: int) -> str:
    """13020 as "13.2"."""
    return f"{number // 1000}.{number % 1000 // 10}"

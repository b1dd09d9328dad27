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
    missing = [package for module, package in _TRAIN.items() if importlib.util.find_spec(module) is None]
    state = f"lacks {', '.join(missing)}: pip install 'gpudl[train]'" if missing else "complete"
    print(f"\nextras\n  [train] {state}")
    return 0

"""How gpudl._cuda is compiled by nvcc: which architectures, which flags. Used by setup.py and compile_report.py.

Standard library and pybind11 only.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

CSRC = Path(__file__).resolve().parent
# PTX of the first is there for every later GPU; sm_90a, not sm_90, because wgmma and TMA are only in that one.
DEFAULT_ARCHITECTURES = ("80", "90a")
ALL_ARCHITECTURES = ("80", "86", "89", "90a", "100", "120")


def load_compile() -> ModuleType:
    """gpudl/simt/_compile.py without importing gpudl, which needs NumPy."""
    spec = importlib.util.spec_from_file_location("_compile", CSRC.parent / "gpudl" / "simt" / "_compile.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def find_nvcc() -> str | None:
    """CUDACXX, CUDA_HOME, PATH, NVIDIA's PyPI wheels, the usual folder."""
    candidates = [os.environ.get("CUDACXX")]
    if home := os.environ.get("CUDA_HOME"):
        candidates.append(f"{home}/bin/nvcc")
    candidates.append("nvcc")
    for folder in sys.path:
        candidates += sorted(map(str, Path(folder).glob("nvidia/cu*/bin/nvcc")))
    candidates.append("/usr/local/cuda/bin/nvcc")
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


def missing_because() -> str | None:
    """None where gpudl._cuda can be built, else the reason."""
    asked = os.environ.get("GPUDL_CUDA", "").lower()
    if asked in ("off", "0", "false"):
        return "it was switched off by GPUDL_CUDA"
    if asked not in ("", "on", "1", "true"):
        raise SystemExit(f"GPUDL_CUDA must be on or off, got {asked!r}")
    if find_nvcc() is None:
        return "no nvcc was found (CUDACXX, CUDA_HOME, PATH)"
    if importlib.util.find_spec("pybind11") is None:
        return "pybind11 was not installed"
    return None


def architectures() -> tuple[str, ...]:
    """GPUDL_CUDA_ARCHITECTURES (native, all, or a list such as "80,90a"), else the GPU at hand, else the default."""
    asked = os.environ.get("GPUDL_CUDA_ARCHITECTURES", "")
    if asked == "all":
        return ALL_ARCHITECTURES
    if asked not in ("", "native"):
        names = tuple(asked.replace(",", " ").replace(";", " ").split())
        if not names or not all(re.fullmatch(r"\d+[af]?", name) for name in names):
            raise SystemExit(
                f"GPUDL_CUDA_ARCHITECTURES must be native, all or a list such as 80,90a, got {asked!r}"
            )
        return names
    present = _present_architectures()
    if asked == "native" and not present:
        raise SystemExit("GPUDL_CUDA_ARCHITECTURES=native: nvidia-smi names no GPU")
    return present or DEFAULT_ARCHITECTURES


def _present_architectures() -> tuple[str, ...]:
    if shutil.which("nvidia-smi") is None:
        return ()
    command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return ()
    found = {line.strip().replace(".", "") for line in done.stdout.splitlines() if line.strip()}
    return tuple(sorted("90a" if name == "90" else name for name in found))


def _oldest(names: tuple[str, ...]) -> str:
    return min(names, key=lambda name: int(name.rstrip("af"))).rstrip("af")


def code_flags(names: tuple[str, ...]) -> tuple[str, ...]:
    """-gencode for each architecture, and PTX of the oldest for GPUs to come."""
    oldest = _oldest(names)
    real = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in names]
    return (*real, f"-gencode=arch=compute_{oldest},code=compute_{oldest}")


def _about(names: tuple[str, ...], digest: str) -> tuple[str, ...]:
    """What csrc/sources.cpp is told."""
    made = "-".join((*(f"sm_{name}" for name in names), f"compute_{_oldest(names)}"))
    return f"-DGPUDL_SOURCES={digest}", f"-DGPUDL_ARCHITECTURES={made}"


def build(library: Path, folder: Path, *, strict: bool = False) -> list[Path]:
    """Compile what changed and link `library`, with the CUDA runtime inside; returns the compiled sources.

    strict : a warning is an error. Not for users, whose nvcc may warn of what none did before.
    """
    import pybind11

    compile_ = load_compile()
    nvcc, names = find_nvcc(), architectures()
    common = (nvcc, "-std=c++17", "-DGPUDL_CUDA", f"-I{CSRC}")
    # A product and a sum become one instruction only where the source says fma: the bits are those of the CPU executor
    # (and of NumPy, where the arithmetic is the same), whatever the compiler would contract.
    kernels = (
        *common, "-O3", "-fmad=false", *(("--Werror", "all-warnings") if strict else ()), "-Xptxas", "-v",
        "-Xcompiler", "-fPIC,-fvisibility=hidden,-Wall", *code_flags(names),
    )  # fmt: skip
    # The bindings go to the host compiler; by way of nvcc, which knows where CUDA's headers are.
    binding = (
        *common, "-O1", "-Xcompiler", "-fPIC,-fvisibility=hidden,-Wall,-Wextra", "-DGPUDL_MODULE=_cuda",
        "-isystem", pybind11.get_include(), "-isystem", sysconfig.get_path("include"),
    )  # fmt: skip
    about = _about(names, compile_.sources_digest(CSRC))
    units = [
        compile_.Unit(
            path, (*command, *about) if path.name == "sources.cpp" else command, folder / f"{path.name}.o"
        )
        for pattern, command in (("*.cu", kernels), ("*.cpp", binding))
        for path in sorted(CSRC.glob(pattern))
    ]
    link = (nvcc, "-shared", "-cudart", "static", "-Xcompiler", "-fPIC")
    return compile_.build(units, link, library, lock=folder / "lock")

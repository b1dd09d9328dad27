"""How the CPU executor is compiled: its three variants, gpudl's own kernels and a user's."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import platform
import re
import shutil
import sysconfig
from pathlib import Path
from types import ModuleType

from gpudl.simt import _compile
from gpudl.simt._compile import Unit

PACKAGE = Path(__file__).resolve().parents[1]
_EXTENSION = sysconfig.get_config_var("EXT_SUFFIX")
_COMMON = (
    "-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-fno-strict-aliasing",
    "-ffp-contract=off", "-g1",
)  # fmt: skip

# The check variant sees one call of the checker for each access that the source has: nothing scalarised, nothing
# vectorised, and every device function inlined, so that the address of the access tells its kernel's line.
_INLINE_ALL = (
    "-finline-small-functions", "-finline-functions",
    *(f"--param={name}=20000" for name in (
        "max-inline-insns-auto", "max-inline-insns-single", "inline-unit-growth", "large-function-growth",
        "large-function-insns", "large-stack-frame-growth",
    )),
    "--param=early-inlining-insns=2000",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Variant:
    kernels: tuple[str, ...]  # flags of the .cu files
    executor: tuple[str, ...]  # flags of csrc/simt
    link: tuple[str, ...] = ()
    checked: bool = False


# Null pointers and overruns are AddressSanitizer's, alignment is the check variant's: asked of each access once more
# they are a third of the time that compiling takes, and that is most of the time: so nothing is optimised.
_SANITIZED = (
    "-O0", "-fsanitize=address,undefined", "-fno-sanitize=null,alignment,object-size,vptr",
    "-fno-omit-frame-pointer",
)  # fmt: skip
VARIANTS = {
    "fast": Variant(("-O2",), ("-O2",)),
    "check": Variant(
        ("-O1", "-fno-tree-sra", "-fno-ipa-sra", "-fno-tree-vectorize", *_INLINE_ALL, "-fsanitize=thread",
         "--param=tsan-instrument-func-entry-exit=0"),
        ("-O2", "-DSIMT_CHECK"),
        checked=True,
    ),
    "asan": Variant(_SANITIZED, _SANITIZED, ("-fsanitize=address,undefined",)),
}  # fmt: skip


def compiler() -> str:
    return os.environ.get("CXX", "g++")


def unavailable_because() -> str | None:
    """None where the executor can be built here, else the reason."""
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        return f"the CPU executor needs Linux on x86-64, this is {platform.system()} on {platform.machine()}"
    if shutil.which(compiler()) is None:
        return f"there is no {compiler()} (a C++17 compiler is needed, g++ 11 or later)"
    if sources() is None:
        return "this install of gpudl has no kernel sources (csrc)"
    return None


def sources() -> Path | None:
    """The folder csrc: in an installed package inside it, in a checkout beside it."""
    return next((path for path in (PACKAGE / "csrc", PACKAGE.parent / "csrc") if path.is_dir()), None)


def objects_folder() -> Path:
    if sources() == PACKAGE.parent / "csrc":
        return PACKAGE.parent / "build"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gpudl"


def found(caller: str, source: object, include: object) -> tuple[Path, tuple[Path, ...]]:
    """A user's file and his folders of headers, absolute. An error of `caller` where they are not there."""
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"{caller}: source must be the path of a .cu file, got {source!r}")
    if not isinstance(include, tuple | list) or not all(
        isinstance(each, str | os.PathLike) for each in include
    ):
        raise TypeError(f"{caller}: include must be a tuple of folders, got {include!r}")
    path, folders = Path(source).resolve(), tuple(Path(folder).resolve() for folder in include)
    if not path.is_file():
        raise FileNotFoundError(f"{caller}: there is no file {path}")
    for folder in folders:
        if not folder.is_dir():
            raise NotADirectoryError(f"{caller}: include: there is no folder {folder}")
    return path, folders


def place_of(source: Path) -> str:
    """The name of the folder for what is made of a user's file: two files of one name are not the same."""
    return f"{source.stem}-{hashlib.sha256(str(source).encode()).hexdigest()[:12]}"


def module_path(variant: str) -> Path:
    """Where gpudl's own kernels of a variant are: the fast ones in the package, as gpudl._simt."""
    if variant == "fast":
        return PACKAGE / f"_simt{_EXTENSION}"
    return _folder(variant) / f"_simt_{variant}{_EXTENSION}"


def build_own(variant: str) -> list[Path]:
    """Compile gpudl's kernels for the CPU; returns what was compiled. CompileError where that fails."""
    _require(variant)
    try:
        import pybind11
    except ImportError:
        raise _compile.CompileError("pybind11 is needed to build gpudl._simt: pip install pybind11") from None
    csrc, library = sources(), module_path(variant)
    python = (f"-isystem{pybind11.get_include()}", f"-isystem{sysconfig.get_path('include')}")
    units = [
        *_binding_units(variant, library.name.removesuffix(_EXTENSION), python),
        *(_kernel_unit(path, variant, _folder(variant)) for path in sorted(csrc.glob("*.cu"))),
        *_executor_units(variant),
    ]
    return _compile.build(units, _link(variant), library, lock=_lock())


def build_file(source: Path, variant: str, include: tuple[Path, ...]) -> Path:
    """Compile one .cu file with the executor into a library beside the objects; returns its path."""
    _require(variant)
    folder = _folder(variant) / "user" / place_of(source)
    # Its extern "C" functions are to be seen from Python; the static variables of its templates stay its own.
    extra = ("-fvisibility=default", "-fno-gnu-unique", *(f"-I{path}" for path in (source.parent, *include)))
    unit = _kernel_unit(source, variant, folder, extra)
    library = folder / f"{source.stem}.so"
    _compile.build([unit, *_executor_units(variant)], _link(variant), library, lock=_lock())
    return library


def _require(variant: str) -> None:
    if variant not in tuple(VARIANTS):
        raise ValueError(f"gpudl.simt: variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    if (reason := unavailable_because()) is not None:
        raise _compile.CompileError(reason)


def _folder(variant: str) -> Path:
    return objects_folder() / "simt" / variant


def _lock() -> Path:
    """One for all variants, which share objects; a build by itself takes all cores."""
    return objects_folder() / "simt" / "lock"


def _common(variant: str) -> tuple[str, ...]:
    return (compiler(), *_COMMON, f"-I{sources()}")


@functools.cache
def _fma_instruction() -> tuple[str, ...]:
    """-mfma where the processor has it: fma() gives the same bits without, by a function many times slower."""
    with contextlib.suppress(OSError):
        if re.search(r"^flags\s*:.*\bfma\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return ("-mfma",)
    return ()


def _binding_units(variant: str, module: str, python: tuple[str, ...]) -> list[Unit]:
    """Host code. The checks are of device code, so `fast` and `check` have one in common, but for the module's name."""
    flags = VARIANTS[variant].executor if variant == "asan" else ("-O1",)
    common = _folder("asan" if variant == "asan" else "bindings")
    command = (*_common(variant), *flags, *python)
    digest = f"-DGPUDL_SOURCES={_compile.sources_digest(sources())}"
    own = {"module.cpp": (f"-DGPUDL_MODULE={module}", _folder(variant)), "sources.cpp": (digest, common)}
    return [
        _unit(path, (*command, own[path.name][0]), own[path.name][1])
        if path.name in own
        else _unit(path, command, common)
        for path in sorted(sources().glob("*.cpp"))
    ]


def is_current(module: ModuleType) -> bool:
    """Whether a compiled module was made of the kernel sources of this install; True where it has none to tell."""
    csrc = sources()
    return csrc is None or getattr(module, "__sources__", None) == _compile.sources_digest(csrc)


def _unit(source: Path, command: tuple[str, ...], folder: Path) -> Unit:
    return Unit(source, command, folder / f"{source.name}.o")


def _kernel_unit(source: Path, variant: str, folder: Path, extra: tuple[str, ...] = ()) -> Unit:
    flags = (*VARIANTS[variant].kernels, *_fma_instruction())
    command = (*_common(variant), f"-I{sources() / 'simt'}", *extra, *flags, "-x", "c++")
    return _unit(source, command, folder)


def _executor_units(variant: str) -> list[Unit]:
    chosen, simt = VARIANTS[variant], sources() / "simt"
    files = [
        path for path in sorted(simt.glob("*.cpp")) if path.name != "unchecked.cpp" or not chosen.checked
    ]
    if chosen.checked:
        files += sorted((simt / "checks").glob("*.cpp"))
    folder = _folder(variant) / "executor"
    return [_unit(path, (*_common(variant), *chosen.executor), folder) for path in files]


def _link(variant: str) -> tuple[str, ...]:
    return (compiler(), "-shared", *VARIANTS[variant].link, "-ldl")

"""Builds gpudl._cuda where nvcc is, and puts the kernel sources into the package; the rest is in pyproject.toml."""

import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "csrc"))
import build_cuda  # noqa: E402

REASON = build_cuda.missing_because()


class BuildCuda(build_ext):
    """gpudl._cuda by csrc/build_cuda.py; the objects stay in build/cuda, so a second build is short."""

    def build_extension(self, ext):
        library = Path(self.get_ext_fullpath(ext.name)).resolve()
        try:
            compiled = build_cuda.build(library, ROOT / "build" / "cuda")
        except RuntimeError as error:  # what nvcc printed
            hint = "gpudl: the CUDA kernels did not compile; GPUDL_CUDA=off installs without them"
            raise SystemExit(f"{error}\n{hint}") from None
        print(
            f"gpudl: built _cuda for {', '.join(build_cuda.architectures())} and PTX, {len(compiled)} files compiled"
        )


class BuildPython(build_py):
    """The package, the kernel sources that `gpudl.simt` compiles, and a note of why there is no _cuda."""

    def run(self):
        super().run()
        package = ROOT / "gpudl" if self.editable_mode else Path(self.build_lib) / "gpudl"
        note = package / "_cuda_missing.txt"
        note.unlink(missing_ok=True)
        if REASON is not None:
            note.write_text(f"{REASON}\n")
            print(f"gpudl: built without CUDA kernels: {REASON}")
        if not self.editable_mode:
            kept = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(ROOT / "csrc", package / "csrc", dirs_exist_ok=True, ignore=kept)


setup(
    ext_modules=[] if REASON else [Extension("gpudl._cuda", [])],
    cmdclass={"build_ext": BuildCuda, "build_py": BuildPython},
)

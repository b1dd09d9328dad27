"""The compile machinery: only what changed is compiled, errors are shown, architectures are what was asked for."""

import ctypes
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpudl.simt import _compile
from tests.support.arrays import assert_refuses

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    """Two C++ files that share a header, and a function that builds them and names what was compiled."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    (tmp_path / "shared.h").write_text("inline int number() { return 1; }\n")
    (tmp_path / "a.cpp").write_text('#include "shared.h"\nint a() { return number(); }\n')
    (tmp_path / "b.cpp").write_text("int b() { return 2; }\n")

    def build(*flags, names="ab"):
        command = ("g++", "-fPIC", *flags)
        units = [
            _compile.Unit(tmp_path / f"{name}.cpp", command, tmp_path / "o" / f"{name}.cpp.o")
            for name in names
        ]
        compiled = _compile.build(
            units, ("g++", "-shared"), tmp_path / "o" / "library.so", lock=tmp_path / "lock"
        )
        assert (tmp_path / "o" / "library.so").exists()
        return [path.name for path in compiled]

    build.folder = tmp_path
    return build


def test_only_what_changed_is_compiled(project):
    assert project() == ["a.cpp", "b.cpp"]
    assert project() == []
    (project.folder / "b.cpp").touch()
    assert project() == []  # the text decides, not the time
    (project.folder / "shared.h").write_text("inline int number() { return 3; }\n")
    assert project() == ["a.cpp"]
    assert project("-O1") == ["a.cpp", "b.cpp"]
    (project.folder / "o" / "b.cpp.o").unlink()
    assert project("-O1") == ["b.cpp"]


def test_the_digest_is_of_sources_alone(project):
    first = _compile.sources_digest(project.folder)
    project()
    (project.folder / "notes.txt").write_text("of no importance")
    assert _compile.sources_digest(project.folder) == first
    moved = project.folder / "moved"
    moved.mkdir()
    for path in project.folder.glob("*.[ch]*"):
        shutil.copy(path, moved)
    assert _compile.sources_digest(moved) == first
    (moved / "a.cpp").rename(moved / "c.cpp")
    assert _compile.sources_digest(moved) != first
    (moved / "c.cpp").rename(moved / "a.cpp")
    (moved / "device").mkdir()
    (moved / "device" / "more.cu").touch()
    assert _compile.sources_digest(moved) != first


def test_names_with_blanks_and_other_signs(project):
    header = project.folder / "my #1 header$.h"
    header.write_text("inline int three() { return 3; }\n")
    (project.folder / "b.cpp").write_text(f'#include "{header.name}"\nint b() {{ return three(); }}\n')
    assert project() == ["a.cpp", "b.cpp"]
    assert project() == []
    header.write_text("inline int three() { return 4; }\n")
    assert project() == ["b.cpp"]


def test_a_file_that_changes_while_it_is_compiled_is_compiled_again(project, monkeypatch):
    run, source = _compile._run, project.folder / "b.cpp"

    def edit_meanwhile(command):
        printed = run(command)
        if str(source) in command:
            source.write_text("int b() { return 5; }\n")
        return printed

    monkeypatch.setattr(_compile, "_run", edit_meanwhile)
    assert project() == ["a.cpp", "b.cpp"]
    monkeypatch.undo()
    assert project() == ["b.cpp"]
    assert project() == []


def test_a_source_that_goes_away_leaves_the_library(project):
    project()
    assert project(names="b") == []
    assert not hasattr(ctypes.CDLL(project.folder / "o" / "library.so"), "_Z1av")


def test_a_broken_file_is_named_and_compiled_again(project):
    (project.folder / "a.cpp").write_text("int a() { return nothing; }\n")
    for _ in range(2):
        assert_refuses(project, _compile.CompileError, "a.cpp:1")
    (project.folder / "a.cpp").write_text("int a() { return 1; }\n")
    assert project() == ["a.cpp"]


def test_a_compiler_that_does_not_start_is_named(tmp_path):
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho no such toolkit >&2; exit 127\n")
    compiler.chmod(0o755)
    unit = _compile.Unit(tmp_path / "a.cpp", (str(compiler),), tmp_path / "a.o")
    assert_refuses(
        lambda: _compile.build([unit], (str(compiler),), tmp_path / "a.so", lock=tmp_path / "lock"),
        _compile.CompileError,
        f"{compiler} --version\nno such toolkit",
    )


def build_cuda():
    spec = importlib.util.spec_from_file_location("build_cuda", ROOT / "csrc" / "build_cuda.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", ("80", "90a")),
        ("all", ("80", "86", "89", "90a", "100", "120")),
        ("80,90a", ("80", "90a")),
        ("86", ("86",)),
    ],
)
def test_architectures(monkeypatch, asked, expected):
    monkeypatch.setenv("GPUDL_CUDA_ARCHITECTURES", asked)
    monkeypatch.setenv("PATH", "/nowhere")  # no nvidia-smi: no GPU at hand
    module = build_cuda()
    assert module.architectures() == expected
    flags = module.code_flags(expected)
    assert len(flags) == len(expected) + 1
    assert flags[-1].endswith(f"code=compute_{expected[0]}")


@pytest.mark.parametrize("asked", ["hopper", "80,ninety", ",", "sm_80"])
def test_architectures_that_are_none(monkeypatch, asked):
    monkeypatch.setenv("GPUDL_CUDA_ARCHITECTURES", asked)
    assert_refuses(
        build_cuda().architectures,
        SystemExit,
        f"GPUDL_CUDA_ARCHITECTURES must be native, all or a list such as 80,90a, got {asked!r}",
    )


def test_why_there_is_no_cuda_module(monkeypatch):
    module = build_cuda()
    monkeypatch.setenv("GPUDL_CUDA", "off")
    assert module.missing_because() == "it was switched off by GPUDL_CUDA"
    monkeypatch.setenv("GPUDL_CUDA", "no")
    assert_refuses(module.missing_because, SystemExit, "GPUDL_CUDA must be on or off, got 'no'")
    monkeypatch.delenv("GPUDL_CUDA")
    monkeypatch.setattr(module, "find_nvcc", lambda: None)
    assert module.missing_because() == "no nvcc was found (CUDACXX, CUDA_HOME, PATH)"


def test_compile_report_reads_what_ptxas_prints():
    sys.path.insert(0, str(ROOT / "csrc"))
    try:
        import compile_report
    finally:
        sys.path.remove(str(ROOT / "csrc"))
    log = (
        "ptxas info    : Compiling entry function '_Z1kPf' for 'sm_80'\n"
        "ptxas info    : Function properties for _Z1kPf\n"
        "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 30 registers, used 1 barriers, 128 bytes smem, 360 bytes cmem[0]\n"
    )
    assert (
        compile_report.kernels_of(log * 2)
        == [compile_report.Kernel("_Z1kPf", "sm_80", stack=8, spilled=16, registers=30, shared=128)] * 2
    )


def test_the_command_line_says_why_it_cannot(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gpudl.simt", str(tmp_path / "missing.cu")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert "there is no file" in done.stderr

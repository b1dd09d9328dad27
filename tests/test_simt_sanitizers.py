"""Every binding and kernel under AddressSanitizer and UndefinedBehaviorSanitizer, right calls and random wrong ones."""

import os
import subprocess
import sys
from pathlib import Path

from gpudl import simt
from tests.support.kernels import require_simt


def test_kernels_and_bindings_are_clean():
    require_simt("asan")
    libraries = [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.sanitized", str(simt.module_path("asan")), "5000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=os.environ
        | {
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python itself keeps what it allocates
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith("clean:")

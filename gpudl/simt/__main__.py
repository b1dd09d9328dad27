"""`python -m gpudl.simt`: build gpudl's kernels for the CPU, or compile a file of kernels."""

from __future__ import annotations

import argparse
import sys
import time

from gpudl import simt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m gpudl.simt", description=__doc__)
    parser.add_argument("source", nargs="?", help="a .cu file; without one gpudl's own kernels are built")
    parser.add_argument(
        "--variant", choices=simt.VARIANTS, help="default: fast for gpudl's own, check for a file"
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    try:
        if arguments.source:
            print(simt.build_file(arguments.source, variant=arguments.variant or "check"))
        else:
            variant = arguments.variant or "fast"
            compiled = simt.build_own(variant)
            print(f"{simt.module_path(variant)}: {len(compiled)} files compiled")
    except (simt.CompileError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

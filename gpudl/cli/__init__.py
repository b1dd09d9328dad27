"""The command line: `gpudl train | evaluate | predict | info`."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Sequence

import gpudl

_COMMANDS = {
    "train": "train a model on images",
    "evaluate": "test the model of a run",
    "predict": "say what is on images",
    "info": "say what is installed and what works",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 2, and one line, where options, files or the install are wrong."""
    parser = argparse.ArgumentParser(prog="gpudl", description=gpudl.__doc__)
    parser.add_argument("--version", action="version", version=f"gpudl {gpudl.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = {}
    for name, summary in _COMMANDS.items():
        modules[name] = importlib.import_module(f"gpudl.cli.{name}")
        sub = commands.add_parser(name, help=summary, description=modules[name].DESCRIPTION)
        modules[name].add_arguments(sub)
    arguments = parser.parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return modules[arguments.command].main(arguments)
        except _expected_errors() as error:
            print(f"gpudl {arguments.command}: {error}", file=sys.stderr)
            return 2


def _expected_errors() -> tuple[type[Exception], ...]:
    """What is no mistake of gpudl's own."""
    from gpudl.cli.config import ConfigError
    from gpudl.data.readers import DataFormatError
    from gpudl.train import CheckpointError

    return (ConfigError, DataFormatError, CheckpointError, gpudl.BackendError, ImportError, OSError)


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"gpudl: warning: {message}", file=sys.stderr)

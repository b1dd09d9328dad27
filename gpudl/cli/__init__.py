"""The command line: `gpudl train | evaluate | predict | bench | info`."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

import gpudl

_COMMANDS = {
    "train": "train a model on images",
    "evaluate": "test the model of a run",
    "predict": "say what is on images",
    "bench": "time operators beside PyTorch, cuDNN and the limit of the machine",
    "bench compare": "say what is slower or faster in the second of two runs of bench",
    "bench report": "write the report, the page and the figures of a run of bench anew",
    "info": "say what is installed and what works",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 2, and one line, where options, files or the install are wrong.

    128 + the number of the signal after Ctrl-C, and where nobody reads the output any more (`| head`).
    """
    parser = _Parser(prog="gpudl", description=gpudl.__doc__)
    parser.add_argument("--version", action="version", version=f"gpudl {gpudl.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = {}
    for name, summary in _COMMANDS.items():
        modules[name] = importlib.import_module(f"gpudl.cli.{name.replace(' ', '_')}")
        sub = commands.add_parser(name, help=summary, description=modules[name].DESCRIPTION)
        modules[name].add_arguments(sub)
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(_joined(words), argparse.Namespace(words=words))
    _write_any_text()
    try:
        gpudl.current_backend()
    except ValueError as error:  # of the environment
        print(f"gpudl {arguments.command}: {error}", file=sys.stderr)
        return 2
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            status = modules[arguments.command].main(arguments)
            sys.stdout.flush()
            return status
        except BrokenPipeError:
            # what is left in the buffer would be an error once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        except KeyboardInterrupt:
            print(f"gpudl {arguments.command}: interrupted", file=sys.stderr)
            return 128 + signal.SIGINT
        except MemoryError as error:
            print(f"gpudl {arguments.command}: not enough memory: {error}", file=sys.stderr)
            return 2
        except _expected_errors() as error:
            from gpudl.cli.config import describe

            print(f"gpudl {arguments.command}: {describe(error)}", file=sys.stderr)
            return 2


def _joined(words: list[str]) -> list[str]:
    """The same, a command of two words as one."""
    two = " ".join(words[:2])
    return [two, *words[2:]] if two in _COMMANDS else words


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command in one line, without all its options."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help tells more)\n")


def _write_any_text() -> None:
    """Names that the terminal's encoding lacks are written with escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _expected_errors() -> tuple[type[Exception], ...]:
    """What is no mistake of gpudl's own."""
    from gpudl.cli.config import ConfigError
    from gpudl.data.readers import DataFormatError
    from gpudl.train import CheckpointError

    return (ConfigError, DataFormatError, CheckpointError, gpudl.BackendError, ImportError, OSError)


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"gpudl: warning: {message}", file=sys.stderr)

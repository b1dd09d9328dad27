"""`gpudl bench report`: report, page and figures of a run, made anew from its record."""

from __future__ import annotations

import argparse
from pathlib import Path

from gpudl.cli.config import ConfigError

DESCRIPTION = "Write report.md, index.html and the figures of a run anew from its rows.jsonl."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a run of gpudl bench")


def main(arguments: argparse.Namespace) -> int:
    from gpudl.bench import outputs, record

    folder = arguments.folder
    if not (folder / record.NAME).is_file():
        raise ConfigError(f"{folder} holds no run of gpudl bench")
    try:
        missing = outputs.write(folder)
    except record.RecordError as error:
        raise ConfigError(str(error)) from None
    if missing is not None:
        print(missing)
    print(f"written anew in {folder}: {outputs.REPORT}, {outputs.PAGE}")
    return 0

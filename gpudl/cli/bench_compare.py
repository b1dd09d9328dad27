"""`gpudl bench compare`: what is slower or faster in the second of two runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from gpudl.cli.config import ConfigError

DESCRIPTION = (
    "Say what is slower or faster in run B than in run A, with noise taken into account. Exit status: 1 where a row is "
    "significantly slower by more than the threshold, or was ok and is not any more; else 0."
)
_THRESHOLD = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", type=Path, metavar="A", help="folder or rows.jsonl of a run")
    parser.add_argument("after", type=Path, metavar="B", help="of the run that is judged")
    parser.add_argument("--threshold", type=float, default=_THRESHOLD, metavar="X",
                        help=f"smaller differences do not count ({_THRESHOLD:g} is 5 %%)")  # fmt: skip
    parser.add_argument("--relative-to", metavar="CONTENDER",
                        help="compare times as parts of this contender's in the same turns, such as PyTorch; for runs "
                             "between which the machine may have changed its pace")  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    from gpudl.bench import compare, record

    try:
        before, after = record.read(arguments.before), record.read(arguments.after)
        comparison = compare.compare(
            before, after, threshold=arguments.threshold, relative_to=arguments.relative_to
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    print(compare.words(comparison))
    return 1 if comparison.worse else 0

"""`gpudl evaluate`: accuracy, a table by class, the confusion matrix."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import numpy as np

from gpudl import data, metrics, train
from gpudl.cli import parts as build
from gpudl.cli import run_folder as folder
from gpudl.cli.config import ConfigError
from gpudl.cli.train import count_confusion

DESCRIPTION = """Say how well the model of a run does on images that it was not trained on: on the test part of the
run's data, or on DATA (its test part where it has one, else all of it). DATA may also be the run's data in another
place."""

_LARGEST_TABLE = 20  # classes whose confusion matrix fits on a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that gpudl train has made")
    parser.add_argument(
        "data", nargs="?", metavar="DATA", help="as for gpudl train; default: the run's own data"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="also write evaluation.json and confusion_matrix.png there",
    )


def main(arguments: argparse.Namespace) -> int:
    trained = folder.load_model(arguments.run)
    dataset, words = _data(arguments, trained)
    counts = count_confusion(trained, dataset)
    report = metrics.classification_report(counts, trained.classes)
    print(f"accuracy {report.accuracy:.2%} of {words}\n\n{report}")
    if len(trained.classes) <= _LARGEST_TABLE:
        print(
            f"\nconfusion matrix, rows true and columns predicted\n{_table(counts.tolist(), trained.classes)}"
        )
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        folder.write_json(
            arguments.output / "evaluation.json", {**report.to_dict(), "confusion": counts.tolist()}
        )
        train.plot_confusion_matrix(counts, trained.classes, arguments.output / folder.CONFUSION)
    return 0


def _data(arguments: argparse.Namespace, trained: folder.TrainedModel) -> tuple[data.ArrayDataset, str]:
    config = folder.load_config(arguments.run)
    if arguments.data is None:
        elsewhere = f"gpudl evaluate {shlex.quote(str(arguments.run))} DATA"
        source = folder.open_own_data(arguments.run, config, elsewhere)
    else:
        source = data.open_dataset(arguments.data, config.image_size)
    if arguments.data is None or folder.are_own_data(arguments.run, source):
        dataset = build.split(source, config.validation, config.seed).test
    else:
        dataset = source.train if source.test is None else source.test
    own, other = (f"{x.image_dtype} of shape {x.image_shape}" for x in (trained, source))
    if own != other:
        raise ConfigError(f"{source.name}: images must be as those of the run, {own}, got {other}")
    part = "images" if dataset is source.train else "images of the test part"
    images, labels = dataset.arrays
    numbers = np.array(_class_numbers(source, trained.classes))
    return data.ArrayDataset(images, numbers[labels]), f"{len(dataset)} {part} of {source.name}"


def _class_numbers(source: data.ImageData, known: tuple[str, ...]) -> list[int]:
    """The number that the run gives to each class of the data: by name; as it is where they have numbers only."""
    unknown = [name for name in source.classes if name not in known]
    if not unknown:
        return [known.index(name) for name in source.classes]
    count = len(source.classes)
    if source.classes == tuple(map(str, range(count))) and count <= len(known):
        return list(range(count))
    raise ConfigError(f"{source.name}: the run does not know the classes {', '.join(unknown[:5])}")


def _table(counts: list[list[int]], classes: tuple[str, ...]) -> str:
    cells = [["", *classes], *([name, *map(str, row)] for name, row in zip(classes, counts, strict=True))]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in cells
    )

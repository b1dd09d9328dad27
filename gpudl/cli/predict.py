"""`gpudl predict`: the class of images, and how probable each class is."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import gpudl
from gpudl import ops
from gpudl.cli import run_folder as folder
from gpudl.cli.config import ConfigError
from gpudl.data.readers.image_folder import read_image
from gpudl.train.checkpoint import write_file

DESCRIPTION = """Say which class each image is of, and how probable every class is. Images are brought to the
size and the colours that the model was trained on. A model that was trained on floating numbers (an .npz file) is
refused: nothing says how the bytes of an image file become such numbers."""

_BATCH = 256  # images that go through the model together
_SHOWN = 3  # most probable classes in the text form


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that gpudl train has made")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="files that Pillow can read")
    parser.add_argument("--format", choices=("text", "csv", "json"), default="text", help="default: text")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there; default: print")


def main(arguments: argparse.Namespace) -> int:
    trained = folder.load_model(arguments.run)
    if trained.image_dtype != "uint8":
        raise ConfigError(
            f"{arguments.run}: was trained on {trained.image_dtype} images, image files hold uint8"
        )
    images = [read_image(path, trained.image_shape) for path in arguments.images]
    model = trained.model.eval()
    with gpudl.no_grad():
        scores = [
            model(trained.standardize(np.stack(images[first : first + _BATCH])))
            for first in range(0, len(images), _BATCH)
        ]
    probabilities = ops.softmax_forward(np.concatenate(scores), axis=1)
    text = _FORMATS[arguments.format](arguments.images, probabilities, trained.classes)
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        write_file(arguments.output, text.encode(errors="surrogateescape"))
    return 0


def _as_text(paths: list[Path], probabilities: Any, classes: tuple[str, ...]) -> str:
    lines = []
    for path, row in zip(paths, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:_SHOWN]
        lines.append(
            f"{path}: {classes[best[0]]}  (" + ", ".join(f"{classes[i]} {row[i]:.1%}" for i in best) + ")"
        )
    return "\n".join(lines) + "\n"


def _as_csv(paths: list[Path], probabilities: Any, classes: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "class", *classes])
    for path, row in zip(paths, probabilities, strict=True):
        writer.writerow([path, classes[int(row.argmax())], *(f"{value:.6g}" for value in row)])
    return text.getvalue()


def _as_json(paths: list[Path], probabilities: Any, classes: tuple[str, ...]) -> str:
    entries = [
        {
            "image": str(path),
            "class": classes[int(row.argmax())],
            "probabilities": dict(zip(classes, map(float, row), strict=True)),
        }
        for path, row in zip(paths, probabilities, strict=True)
    ]
    return json.dumps(entries, indent=1) + "\n"


_FORMATS = {"text": _as_text, "csv": _as_csv, "json": _as_json}

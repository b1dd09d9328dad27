"""What a run leaves in its folder, and reading it back."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import gpudl
from gpudl import _claim, _machine, data, nn
from gpudl.cli.config import ConfigError, RunConfig, read_config
from gpudl.cli.parts import make_model, sha256
from gpudl.data import transforms
from gpudl.train import CheckpointError, load_checkpoint, save_checkpoint
from gpudl.train.checkpoint import write_file

CONFIG, ENVIRONMENT, TEST = "config.toml", "environment.json", "test.json"
CHECKPOINTS, MODEL = "checkpoints", "model"
CURVES, CONFUSION = "learning_curves.png", "confusion_matrix.png"
_LARGEST_EXTENT = (1 << 31) - 1  # of images that Pillow makes
_PACKAGES = (
    "numpy", "ml_dtypes", "safetensors", "threadpoolctl",
    "rich", "matplotlib", "scikit-learn", "Pillow", "tomlkit", "cupy",
)  # fmt: skip


def how_to_resume(run: Path) -> str:
    """The command that goes on with a run."""
    return f"gpudl train --resume {shlex.quote(str(run))}"


@contextlib.contextmanager
def claimed(run: Path) -> Iterator[None]:
    """Make the folder where it is new, and let no other process train in it; the claim ends with the process."""
    run.mkdir(parents=True, exist_ok=True)
    if not _claim.POSSIBLE:  # nor may folders be opened there
        yield
        return
    descriptor = os.open(run, os.O_RDONLY)
    try:
        if not _claim.claim(descriptor):
            raise ConfigError(f"{run}: another gpudl train is at work in this folder")
        yield
    finally:
        os.close(descriptor)


class TrainedModel:
    """A model with all that is needed to use it: classes, image shape, normalisation."""

    def __init__(
        self, name: str, model: nn.Module, classes: tuple[str, ...], image_shape: tuple[int, int, int],
        image_dtype: str, standardize: transforms.Standardize,
    ):  # fmt: skip
        self.name = name
        self.model = model
        self.classes = classes
        self.image_shape = image_shape
        self.image_dtype = image_dtype
        self.standardize = standardize

    def save(self, run: Path) -> None:
        state = {
            "name": self.name, "classes": list(self.classes), "image_shape": list(self.image_shape),
            "image_dtype": self.image_dtype,
            "standardize": self.standardize.state_dict(), "model": self.model.state_dict(),
        }  # fmt: skip
        save_checkpoint(run / MODEL, state)


def load_model(run: Path) -> TrainedModel:
    """The model of a finished run. Raises CheckpointError for a folder that has none, or one that does not fit."""
    if not run.is_dir():
        raise FileNotFoundError(f"{run}: no such folder")
    if not (run / MODEL).is_dir():
        if (run / CONFIG).exists():
            raise CheckpointError(f"{run}: the run has not ended; go on with: {how_to_resume(run)}")
        raise CheckpointError(f"{run}: no run of gpudl train")
    state = load_checkpoint(run / MODEL)
    try:
        classes, shape = tuple(map(str, state["classes"])), tuple(map(int, state["image_shape"]))
        if len(shape) != 3 or not all(1 <= n <= _LARGEST_EXTENT for n in shape) or not classes:
            raise ValueError(f"image_shape {shape} and {len(classes)} classes")
        model = make_model(state["name"], len(classes), shape)
        model.load_state_dict(state["model"])
        standardize = transforms.Standardize(dtype=np.float32)
        standardize.load_state_dict(state["standardize"])
        image_dtype = str(state["image_dtype"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{run / MODEL}: not a model of gpudl train: {error}") from error
    return TrainedModel(state["name"], model, classes, shape, image_dtype, standardize)


def load_config(run: Path) -> RunConfig:
    """The configuration of a run. Raises ConfigError and FileNotFoundError."""
    if not (run / CONFIG).exists():
        raise FileNotFoundError(f"{run}: no run of gpudl train ({CONFIG} is missing)")
    return make_config(read_config(run / CONFIG), str(run / CONFIG))


def make_config(options: dict[str, Any], source: str) -> RunConfig:
    try:
        return RunConfig(**options)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def write_json(path: Path, value: Any) -> None:
    write_file(path, (json.dumps(value, indent=1) + "\n").encode())


def note_environment(run: Path, data_sha256: str) -> None:
    """Write with what, and on which data, the run began; later starts are added to that."""
    now, first = environment(), _read_environment(run)
    if first:
        before = first.get("resumed")
        first["resumed"] = [*(before if isinstance(before, list) else []), now]
    else:
        first = now | {"data_sha256": data_sha256}
    write_json(run / ENVIRONMENT, first)


def open_own_data(run: Path, config: RunConfig, elsewhere: str) -> data.ImageData:
    """The data that the run began with. elsewhere : the command for data that were moved.

    Raises ConfigError where they are not there or have changed.
    """
    if config.data != "digits" and not Path(config.data).exists():
        raise ConfigError(f"{config.data}: no such file or folder; if the data were moved: {elsewhere}")
    source = data.open_dataset(config.data, config.image_size)
    if _began_with(run) not in (None, sha256(source)):
        raise ConfigError(f"{config.data}: has changed since the run in {run} began")
    return source


def are_own_data(run: Path, source: data.ImageData) -> bool:
    """Whether these are known to be the data that the run began with, wherever they lie now."""
    return _began_with(run) == sha256(source)


def _began_with(run: Path) -> str | None:
    """The sum of the data, None where the run does not tell."""
    return _read_environment(run).get("data_sha256")


def _read_environment(run: Path) -> dict[str, Any]:
    """Empty where there is none, or none that can be read."""
    try:
        content = json.loads((run / ENVIRONMENT).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def environment() -> dict[str, Any]:
    """What a reader needs to repeat or judge a run."""
    return {
        "gpudl": gpudl.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _machine.processor_name(),
        "cores": _machine.cores(),
        "threads": gpudl.get_num_threads(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
        "blas": _blas(),
        "command": sys.argv,
        "time": time.strftime("%Y-%m-%d %H:%M:%S%z"),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _blas() -> str:
    information = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{information.get('name', 'unknown')} {information.get('version', '')}".strip()

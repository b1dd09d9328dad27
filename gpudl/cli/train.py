"""`gpudl train`: a model on images, from a folder, a file, or scikit-learn's digits."""

from __future__ import annotations

import argparse
import dataclasses
import math
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import gpudl
from gpudl import data, metrics, nn, train
from gpudl.cli import parts as build
from gpudl.cli import run_folder as folder
from gpudl.cli.config import (
    AUGMENTATIONS,
    DEVICES,
    OPTIMIZERS,
    SCHEDULES,
    ConfigError,
    RunConfig,
    absolute,
    describe,
    names,
    read_config,
    write_config,
)
from gpudl.data import transforms
from gpudl.models import names as model_names
from gpudl.train.checkpoint import is_leftover, remove_leftovers, write_file

DESCRIPTION = """Train a model on images and leave everything about the run in a folder.

DATA is "digits" (8x8 handwritten digits that scikit-learn carries), an .npz file with x and y, or a folder: of
MNIST's or Fashion-MNIST's IDX files (gz or not), of CIFAR-10's binary files, or of images with one folder for
each class."""

_SAID = ("model", "optimizer", "lr", "schedule", "augment", "batch_size", "epochs", "seed", "device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = RunConfig(device="cpu")
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help=f"default: {default.data}")
    add("--model", metavar="NAME", help=f"{', '.join(model_names())}; default: {default.model}")
    add("--epochs", type=int, metavar="N", help=f"default: {default.epochs}")
    add("--batch-size", type=int, metavar="N", help=f"default: {default.batch_size}")
    add("--optimizer", metavar="NAME", help=f"{', '.join(OPTIMIZERS)}; default: {default.optimizer}")
    lrs = ", ".join(f"{value:g} for {name}" for name, value in OPTIMIZERS.items())
    add("--lr", type=float, metavar="X", help=f"learning rate, the highest of the schedule; default: {lrs}")
    add("--schedule", metavar="NAME", help=f"{', '.join(SCHEDULES)}; default: {default.schedule}")
    add(
        "--augment", metavar="NAME",
        help=f"{', '.join(AUGMENTATIONS)}; default: affine for grey images, crop-flip for colour",
    )  # fmt: skip
    add("--weight-decay", type=float, metavar="X", help=f"default: {default.weight_decay:g}")
    add(
        "--early-stopping", type=int, metavar="N",
        help="stop after N epochs without a better validation loss and take the best weights; default: never",
    )  # fmt: skip
    add(
        "--validation",
        type=float,
        metavar="SHARE",
        help=f"of the training part; default: {default.validation:g}",
    )
    add(
        "--image-size",
        type=int,
        metavar="N",
        help="side that images of a folder are resized to; default: as they are",
    )
    add("--seed", type=int, metavar="N", help=f"default: {default.seed}")
    add("--device", metavar="NAME", help=f"{', '.join(DEVICES)}; default: that of GPUDL_DEVICE, else cpu")
    add(
        "--checkpoint-steps", type=int, metavar="N",
        help=f"save after every N steps, besides every epoch; default: {default.checkpoint_steps}",
    )  # fmt: skip
    add("--config", type=Path, metavar="FILE", help="options from a TOML file; those given here win")
    add("--output", type=Path, metavar="RUN", help="folder of the run; default: runs/DATA-MODEL-DATE")
    add(
        "--resume", nargs="?", const=True, metavar="RUN",
        help="go on with a run that was interrupted or killed; without RUN, with that of --output, or begin it; DATA "
        "says where its data lie now, if they were moved",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    run, config, source = _prepare(arguments)
    gpudl.use_backend(config.device)
    parts = build.split(source, config.validation, config.seed)
    build.require_suitable(config, len(source.classes), source.image_shape)
    with folder.claimed(run):
        try:
            return _train(run, config, parts)
        except train.Interrupted as interrupt:
            return _interrupted(run, f" at step {interrupt.step}", interrupt.signum)
        except KeyboardInterrupt:
            return _interrupted(run, "", signal.SIGINT)
        except BrokenPipeError:
            raise
        except OSError as error:
            print(f"gpudl train: {describe(error)}; go on with: {folder.how_to_resume(run)}", file=sys.stderr)
            return 2


def _interrupted(run: Path, where: str, signum: int) -> int:
    print(f"interrupted{where}; go on with: {folder.how_to_resume(run)}", file=sys.stderr)
    return 128 + signum


def _train(run: Path, config: RunConfig, parts: build.Parts) -> int:
    """Begin the run or go on with it, and leave its results in the folder."""
    start = time.perf_counter()
    gpudl.manual_seed(config.seed)
    source = parts.source
    standardize = transforms.Standardize(dtype=np.float32).fit(parts.train)
    model = build.make_model(config.model, len(source.classes), source.image_shape)
    training, validation = build.loaders(config, parts, standardize)
    trainer = _make_trainer(config, run, model, len(training))
    resumed = trainer.resume(run / folder.CHECKPOINTS)
    _begin(run, config, parts, model, resumed)
    trainer.fit(training, validation, epochs=config.epochs)
    if trainer.stop_reason is not None:
        print(f"stopped after epoch {trainer.epoch}: {trainer.stop_reason}")
    if trainer.diverged:
        return 1
    trained = folder.TrainedModel(
        config.model, model, source.classes, source.image_shape, source.image_dtype, standardize
    )
    trained.save(run)
    report = test(trained, parts.test, run)
    print(train.diagnose(trainer.history.rows))
    print(
        f"test accuracy {report.accuracy:.2%} of {len(parts.test)} images, "
        f"{time.perf_counter() - start:.1f} s; everything is in {run}"
    )
    return 0


def test(trained: folder.TrainedModel, dataset: data.ArrayDataset, run: Path) -> metrics.ClassificationReport:
    """The report on the test part, which is also written to the folder of the run."""
    counts = count_confusion(trained, dataset)
    report = metrics.classification_report(counts, trained.classes)
    folder.write_json(run / folder.TEST, {**report.to_dict(), "confusion": counts.tolist()})
    train.plot_confusion_matrix(counts, trained.classes, run / folder.CONFUSION)
    return report


def count_confusion(trained: folder.TrainedModel, dataset: data.ArrayDataset) -> Any:
    """(C, C) counts, rows true and columns predicted."""
    confusion = metrics.ConfusionMatrix(len(trained.classes))
    model = trained.model.eval()
    with gpudl.no_grad():
        for images, labels in build.plain_loader(dataset, trained.standardize):
            confusion.update(model(images), labels)
    return confusion.compute()


def _prepare(arguments: argparse.Namespace) -> tuple[Path, RunConfig, data.ImageData]:
    """The folder of the run, which may be there or not, its resolved configuration, and the data."""
    given = {name: value for name in names() if (value := getattr(arguments, name)) is not None}
    file = {} if arguments.config is None else read_config(arguments.config)
    folder.make_config(file, str(arguments.config))  # so that an error names the file
    options = file | given
    run = _run_to_resume(arguments)
    if run is not None and (run / folder.CONFIG).exists():
        config = folder.load_config(run)
        _require_same(run, config, options)
        config, source = _data_of(run, config, options.get("data"))
        return run, config.resolved(source.image_shape[0]), source
    config = RunConfig(**options)
    source = data.open_dataset(config.data, config.image_size)
    config = config.resolved(source.image_shape[0])
    run = arguments.output or Path("runs") / f"{source.name}-{config.model}-{time.strftime('%Y%m%d-%H%M%S')}"
    if run.exists() and not all(map(is_leftover, run.iterdir())):
        resumable = ", or --resume to go on with that run" if (run / folder.CONFIG).exists() else ""
        raise ConfigError(f"--output: {run} is not empty; give another folder{resumable}")
    return run, config, source


def _run_to_resume(arguments: argparse.Namespace) -> Path | None:
    if arguments.resume is None:
        return None
    if arguments.resume is True:
        if arguments.output is None:
            raise ConfigError("--resume: expected the folder of a run, here or in --output")
        return arguments.output
    if arguments.output is not None:
        raise ConfigError("--output: not with --resume RUN, which says where the run is")
    run = Path(arguments.resume)
    if not (run / folder.CONFIG).exists():
        raise ConfigError(f"--resume: {run} holds no run of gpudl train")
    return run


def _require_same(run: Path, config: RunConfig, options: dict[str, Any]) -> None:
    """A run that is resumed keeps its options; its data may lie elsewhere now."""
    for name, value in options.items():
        if name != "data" and value != getattr(config, name):
            raise ConfigError(
                f"--{name.replace('_', '-')}: {run} was begun with {getattr(config, name)!r}, got {value!r}; "
                "a run goes on with the options it has"
            )


def _data_of(run: Path, config: RunConfig, given: str | None) -> tuple[RunConfig, data.ImageData]:
    """The data that the run began with, and its configuration with the place where they lie now."""
    if given is None or absolute(given) == config.data:
        elsewhere = f"gpudl train DATA --resume {shlex.quote(str(run))}"
        return config, folder.open_own_data(run, config, elsewhere)
    source = data.open_dataset(given, config.image_size)
    if not folder.are_own_data(run, source):
        raise ConfigError(
            f"--data: {run} was begun with {config.data!r}, got {given!r}, not known to hold the same images, labels "
            "and classes; a run goes on with the data it has"
        )
    return dataclasses.replace(config, data=absolute(given)), source


def _make_trainer(config: RunConfig, run: Path, model: nn.Module, steps_per_epoch: int) -> train.Trainer:
    optimizer = build.make_optimizer(config, model)
    schedule = build.make_schedule(config, optimizer, steps_per_epoch)
    callbacks: list[train.Callback] = [
        train.TerminateOnNaN(math.gcd(10, config.checkpoint_steps)),
        train.History(run),
    ]
    if schedule is not None:
        callbacks.append(schedule)
    if config.early_stopping is not None:
        callbacks.append(train.EarlyStopping(patience=config.early_stopping, restore_best=True))
    callbacks += [
        train.ProgressBar(sys.stdout),
        train.ModelCheckpoint(
            run / folder.CHECKPOINTS, monitor="val_loss", every_steps=config.checkpoint_steps
        ),
        train.PlotCurves(run / folder.CURVES),
    ]
    return train.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, metrics=build.training_metrics(), callbacks=callbacks
    )


def _begin(run: Path, config: RunConfig, parts: build.Parts, model: nn.Module, resumed: Path | None) -> None:
    """Write what is known beforehand, and say it."""
    remove_leftovers(run)
    if not (run / folder.CONFIG).exists() or folder.load_config(run).data != config.data:
        write_file(run / folder.CONFIG, write_config(config).encode())
    folder.note_environment(run, build.sha256(parts.source))
    options = dataclasses.asdict(config)
    print("  ".join(f"{name}={options[name]}" for name in _SAID))
    print(f"{sum(p.size for p in model.parameters()):,} parameters; {parts.words}")
    if resumed is not None:
        print(f"going on from {resumed}")

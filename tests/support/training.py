"""A small training run on real digits with everything random on, made the same way every time.

`python -m tests.support.training FOLDER` trains it with checkpoints, resumes where some are, and leaves the end of the
run in FOLDER/end; with `--kill-at N` the process kills itself at the N-th operation on a file that belongs to a checkpoint.
"""

import argparse
import os
import signal
import warnings
from pathlib import Path

import numpy as np

import gpudl
from gpudl import data, metrics, nn, optim, train
from gpudl.data import transforms
from gpudl.train import checkpoint

MNIST = Path(__file__).parents[1] / "data" / "mnist10k"
EPOCHS = 3


def digits(count=320):
    """Images (N, 1, 8, 8) uint8 and labels: MNIST, which needs no scikit-learn, whose import takes longer than the run."""
    images, labels = data.open_dataset(MNIST).train.arrays
    return np.ascontiguousarray(images[:count, :, 2:26:3, 2:26:3]), labels[:count]


def make_loaders(num_workers=0, workers="threads"):
    images, labels = digits()
    augment = transforms.Compose(
        [
            transforms.RandomAffine(10, translate=(0.1, 0.1), seed=1),
            transforms.RandomHorizontalFlip(seed=2),
            transforms.Normalize([0.3], [0.35]),
        ]
    )
    training = data.DataLoader(
        data.ArrayDataset(images[:256], labels[:256]),
        batch_size=24, shuffle=True, generator=3, num_workers=num_workers, workers=workers, transform=augment,
    )  # fmt: skip
    validation = data.DataLoader(
        data.ArrayDataset(images[256:], labels[256:]),
        batch_size=40,
        transform=transforms.Normalize([0.3], [0.35]),
    )
    return training, validation


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.1),
        nn.Flatten(), nn.Linear(128, 32), nn.GELU(), nn.Dropout(0.3), nn.Linear(32, 10),
    )  # fmt: skip


def make_trainer(callbacks=(), **options):
    """A trainer with per-step and per-epoch schedules' kinds of state, metrics, and what `callbacks` adds."""
    gpudl.manual_seed(5)
    model = make_model()
    optimizer = optim.AdamW(model.parameters(), 3e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=60)
    return train.Trainer(
        model, nn.CrossEntropyLoss(label_smoothing=0.1), optimizer,
        metrics={"accuracy": metrics.Accuracy(), "f1": metrics.F1Score(10)},
        callbacks=[
            train.LRSchedule(schedule, "step"), train.EarlyStopping(patience=9, restore_best=True), *callbacks,
        ],
        **options,
    )  # fmt: skip


def end_of(trainer):
    """What two runs must have alike: model, optimizer, schedule, random streams, history; times left out."""
    state = trainer.state_dict()
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in trainer.history.rows]
    return {
        "model": state["model"], "optimizer": state["optimizer"], "random": state["random"],
        "callbacks": state["callbacks"] | {"History": {"rows": rows}}, "step": trainer.step,
    }  # fmt: skip


def bits(tree):
    """A tree of arrays and numbers as one text in which every bit shows."""
    if isinstance(tree, dict):
        return "{" + ",".join(f"{key}:{bits(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ",".join(map(bits, tree)) + "]"
    return f"{tree.dtype}{tree.shape}{tree.tobytes().hex()}" if isinstance(tree, np.ndarray) else repr(tree)


def _kill_at(number):
    """Die at the number-th file operation of checkpoints: half of the data written, before a flush, before a rename."""
    count = 0

    def counted(real, half=None):
        def operation(*arguments):
            nonlocal count
            count += 1
            if count == number:
                if half is not None:
                    half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        return operation

    def half(path, content):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])

    checkpoint._write_through = counted(checkpoint._write_through, half)
    os.fsync = counted(os.fsync)
    Path.rename = counted(Path.rename)
    Path.replace = counted(Path.replace)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--workers", default="threads")
    parser.add_argument("--num-workers", type=int, default=0)
    arguments = parser.parse_args()
    saving = train.ModelCheckpoint(arguments.folder / "checkpoints", monitor="val_loss", every_steps=4)
    trainer = make_trainer([saving, train.History(arguments.folder)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged checkpoints are named in warnings
        trainer.resume(arguments.folder / "checkpoints")
    if arguments.kill_at is not None:
        _kill_at(arguments.kill_at)
    training, validation = make_loaders(arguments.num_workers, arguments.workers)
    trainer.fit(training, validation, epochs=EPOCHS)
    train.save_checkpoint(arguments.folder / "end", end_of(trainer))


if __name__ == "__main__":
    main()

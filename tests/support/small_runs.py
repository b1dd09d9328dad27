"""A trainer of vectors that runs in milliseconds, and what tests hang on to it."""

import copy

import numpy as np

import gpudl
from gpudl import data, nn, optim, train


def problem(count=64, features=5, classes=3, seed=0):
    """Vectors and classes, and the loader of them in their order."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((count, features)).astype(np.float32), rng.integers(0, classes, count)
    return x, y


def loader(x, y, batch_size=16, **options):
    return data.DataLoader(data.ArrayDataset(x, y), batch_size=batch_size, **options)


def small_model(seed=0):
    gpudl.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


def small_trainer(callbacks=(), lr=0.1, **options):
    model = small_model()
    return train.Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr), callbacks=callbacks, **options
    )


class Keep(train.Callback):
    """A copy of the state at every point where it may be saved."""

    def __init__(self):
        self.states = []

    def on_checkpoint(self, trainer, reason):
        self.states.append((f"{trainer.epoch}-{trainer.batch}-{reason}", copy.deepcopy(trainer.state_dict())))


class NoState:
    """A loader that does not know where it is."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)

"""A whole epoch (batches in random order, forward, loss, backward, optimizer) of LeNet and of the CIFAR ResNet-20.

LeNet trains on 8,000 real images of MNIST. ResNet-20 trains on generated images of CIFAR-10's shape, whose files are
not there. PyTorch's side takes its batches by indexing the tensor with a permutation, which is faster than its
DataLoader; ours are of `data.DataLoader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from bench.bench_step import TorchCifarResNet, same_weights, torch_lenet
from bench.harness import Case
from gpudl import data, models, nn, optim, train
from gpudl.data import transforms

BATCH = 128
MNIST = Path(__file__).parents[1] / "tests" / "data" / "mnist10k"


def cases() -> Iterator[Case]:
    mnist = data.open_dataset(MNIST).train
    yield _case("LeNet, 8,000 images of MNIST", models.LeNet(), torch_lenet(), mnist)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (640, 32, 32, 3)).astype(np.uint8).transpose(0, 3, 1, 2)
    cifar = data.ArrayDataset(images, rng.integers(0, 10, len(images)))
    yield _case("CIFAR ResNet-20, 640 generated images", models.CifarResNet(20), TorchCifarResNet(3), cifar)


def _case(words: str, ours: nn.Module, theirs: torch.nn.Module, dataset: data.ArrayDataset) -> Case:
    same_weights(ours, theirs)
    # The results are those of all batches in another order: what is compared is the loss after the first epoch of
    # each, which is a mean over the same samples.
    return Case("epoch", "epoch", words, _epoch(ours, dataset), _torch_epoch(theirs, dataset), tolerance=0.2)


def _epoch(model: nn.Module, dataset: data.ArrayDataset) -> Callable[[], np.ndarray]:
    loader = data.DataLoader(
        dataset, BATCH, shuffle=True, generator=0, transform=transforms.Normalize(0.5, 0.25)
    )
    trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 1e-3, momentum=0.9))

    def epoch() -> np.ndarray:
        history = trainer.fit(loader, epochs=trainer.epoch + 1)
        return np.asarray(history["train_loss"][-1])

    return epoch


def _torch_epoch(model: torch.nn.Module, dataset: data.ArrayDataset) -> Callable[[], torch.Tensor]:
    images, labels = (torch.from_numpy(np.array(array)) for array in dataset.arrays)
    images = images.to(memory_format=torch.channels_last)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)

    def epoch() -> torch.Tensor:
        total = torch.zeros(())
        for rows in torch.randperm(len(images)).split(BATCH):
            x = images[rows].float().div_(255).sub_(0.5).div_(0.25)
            optimizer.zero_grad()
            loss = criterion(model(x), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return total / len(images)

    return epoch

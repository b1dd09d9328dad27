"""A whole epoch (batches in random order, forward, loss, backward, optimizer), and training until tests are right.

Images are those of the folders in GPUDL_MNIST and GPUDL_CIFAR10; where there are none, LeNet trains on the 8,000 real
images that a checkout has for its tests, and what is left on generated ones that can be learned: the words of a
workload say so. PyTorch's side takes its batches by indexing the tensor with a permutation, which is faster than its
DataLoader; ours are of `data.DataLoader`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import _backend, data, nn, optim, train
from gpudl.bench import training
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Results, Work, operator
from gpudl.data import transforms

BATCH = 128
LR, MOMENTUM = 1e-3, 0.9  # of an epoch by itself
LR_TO_ACCURACY = 0.05
MEAN, STD = 0.5, 0.25
# Operators, and what of the test images must be right for training to end: less of CIFAR-10's, which are not augmented.
TO_ACCURACY = {"LeNet": ("lenet_to_accuracy", 0.975), "CIFAR ResNet-20": ("cifar_resnet_to_accuracy", 0.7)}
LONGEST = 40  # epochs until then
FEW, MANY = 640, 50_000  # images of the shape of CIFAR-10 that are generated, for a CPU and a GPU
DIFFERENCE = "batches by indexing a tensor"


def epoch_problem(network: str, images: training.Images, **options: Any) -> Problem:
    """The results are those of all batches in an order of each library's own: what is compared is the loss of the first
    epoch, which is a mean over the same samples. Of tens of thousands of CIFAR-10's, an epoch of which takes NumPy
    minutes, it is only that it is better than chance."""
    trained = training.TRAINED[network]
    chance = math.log(trained.network.classes)
    verification: dict[str, Any] = {}
    if network != "LeNet" and images.count > FEW:
        verification = {
            "expected": lambda inputs: (np.ones(()),),
            "compared": lambda results: (np.asarray(float(results[0] < chance)),),
        }
    return Problem(
        "training_epoch", f"{network}, {images.words}", lambda rng: _inputs(images), _work(network, images),
        {"network": network}, tolerance=0.2, dtypes=("float32",), **verification, **options,
    )  # fmt: skip


def accuracy_problem(network: str, images: training.Images, accuracy: float, **options: Any) -> Problem:
    """Seconds until the test images are right as often as asked; looked at after every epoch."""

    def compared(results: Results) -> Results:
        return (np.asarray(float(results[0] >= accuracy)),)

    def inputs(rng: np.random.Generator) -> Inputs:
        assert images.test is not None
        test, labels = images.test.arrays
        return {**_inputs(images), "test_images": test, "test_labels": labels}

    return Problem(
        TO_ACCURACY[network][0], f"{accuracy:.1%} of the test images, {images.words}", inputs,
        _work(network, images), {"network": network, "accuracy": accuracy}, expected=lambda inputs: (np.ones(()),),
        compared=compared, tolerance=0.0, dtypes=("float32",), calls=1, **options,
    )  # fmt: skip


def _inputs(images: training.Images) -> Inputs:
    return dict(zip(("images", "labels"), images.train.arrays, strict=True))


def _work(network: str, images: training.Images) -> Work:
    """Of one epoch: its products, and the images."""
    trained = training.TRAINED[network]
    return Work(flops=trained.work(images.count).flops, bytes=images.count * math.prod(trained.image))


@operator("training_epoch", family="training")
def epoch_problems() -> Iterator[Problem]:
    yield epoch_problem("LeNet", training.mnist(), quick=True)
    few, many = training.cifar10(FEW), training.cifar10(MANY)
    if few is many:
        yield epoch_problem("CIFAR ResNet-20", many)
        return
    yield epoch_problem("CIFAR ResNet-20", few, devices=("cpu",))
    yield epoch_problem("CIFAR ResNet-20", many, devices=("cuda",))


def _accuracy_problems(network: str, images: training.Images, **options: Any) -> Iterator[Problem]:
    if not images.real or images.test is not None:
        yield accuracy_problem(network, images, TO_ACCURACY[network][1], **options)


@operator("lenet_to_accuracy", family="training")
def lenet_problems() -> Iterator[Problem]:
    yield from _accuracy_problems("LeNet", training.mnist())


@operator("cifar_resnet_to_accuracy", family="training")
def cifar_problems() -> Iterator[Problem]:
    """On a CPU it would take hours."""
    yield from _accuracy_problems("CIFAR ResNet-20", training.cifar10(MANY), devices=("cuda",))


# ---- gpudl


def _trainer(network: str, images: Any, labels: Any, lr: float) -> tuple[train.Trainer, data.DataLoader]:
    model = training.gpudl_model(network, images)
    optimizer = optim.SGD(model.parameters(), lr, momentum=MOMENTUM)
    dataset = data.ArrayDataset(*(_backend.move(array, "cpu") for array in (images, labels)))
    loader = data.DataLoader(
        dataset, BATCH, shuffle=True, generator=training.SEED, transform=transforms.Normalize(MEAN, STD)
    )
    return train.Trainer(model, nn.CrossEntropyLoss(), optimizer), loader


@contender("training_epoch", name="gpudl", prepares=True)
def gpudl_epoch(images: Any, labels: Any, *, network: str) -> Callable[[], Any]:
    trainer, loader = _trainer(network, images, labels, LR)

    def epoch() -> np.ndarray:
        history = trainer.fit(loader, epochs=trainer.epoch + 1)
        return np.asarray(history["train_loss"][-1])

    return epoch


@contender("lenet_to_accuracy", name="gpudl", prepares=True)
@contender("cifar_resnet_to_accuracy", name="gpudl", prepares=True)
def gpudl_accuracy(
    images: Any, labels: Any, test_images: Any, test_labels: Any, *, network: str, accuracy: float
) -> Callable[[], Any]:
    def call() -> np.ndarray:
        trainer, loader = _trainer(network, images, labels, LR_TO_ACCURACY)
        test = transforms.Normalize(MEAN, STD)(test_images)

        def epoch() -> float:
            trainer.fit(loader, epochs=trainer.epoch + 1)
            return float((trainer.predict(test).argmax(1) == test_labels).mean())

        return _until(epoch, accuracy)

    return call


def _until(epoch: Callable[[], float], accuracy: float) -> np.ndarray:
    """Epochs, each of which gives the accuracy after it, until it is reached."""
    for _ in range(LONGEST):
        reached = epoch()
        if reached >= accuracy:
            return np.asarray(reached)
    raise RuntimeError(f"{reached:.2%} of the test images are right after {LONGEST} epochs")


# ---- PyTorch


def _torch_epoch(network: str, images: Any, labels: Any, lr: float) -> tuple[Any, Callable[[], Any]]:
    """The model, and a call that trains it for an epoch and gives the mean of the loss."""
    import torch

    from gpudl.bench import torch_models

    model = torch_models.twin(network, images.device)
    images = images.to(memory_format=torch.channels_last)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=MOMENTUM)
    generator = torch.Generator().manual_seed(training.SEED)

    def epoch() -> Any:
        model.train()
        total = torch.zeros((), device=images.device)
        for rows in torch.randperm(len(images), generator=generator).to(images.device).split(BATCH):
            x = _torch_normalized(images[rows])
            optimizer.zero_grad()
            loss = criterion(model(x), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return total / len(images)

    return model, epoch


def _torch_normalized(images: Any) -> Any:
    return images.float().div_(255).sub_(MEAN).div_(STD)


@contender("training_epoch", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
def torch_epoch(images: Any, labels: Any, *, network: str) -> Callable[[], Any]:
    return _torch_epoch(network, images, labels, LR)[1]


@contender("lenet_to_accuracy", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
@contender("cifar_resnet_to_accuracy", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
def torch_accuracy(
    images: Any, labels: Any, test_images: Any, test_labels: Any, *, network: str, accuracy: float
) -> Callable[[], Any]:
    import torch

    def call() -> np.ndarray:
        model, train_epoch = _torch_epoch(network, images, labels, LR_TO_ACCURACY)
        test = _torch_normalized(test_images)

        def epoch() -> float:
            train_epoch()
            model.eval()
            with torch.no_grad():
                right = [
                    model(x).argmax(1) == y
                    for x, y in zip(test.split(256), test_labels.split(256), strict=True)
                ]
            return int(torch.cat(right).sum()) / len(test)

        return _until(epoch, accuracy)

    return call

"""Whole training runs on the kernels: the same course as on NumPy, and no array of the host in a step."""

from pathlib import Path

import numpy as np
import pytest

import gpudl
from gpudl import data, metrics, models, nn, optim, train
from gpudl.data import transforms
from tests.support.device_array import DeviceArray, device_arrays, kernels_only, on_device, on_host
from tests.support.kernels import require_simt

MNIST = Path(__file__).parent / "data" / "mnist10k"
STEPS, BATCH = 40, 16


def lenet_run(images, labels):
    """Losses of the steps and the weights at the end."""
    gpudl.manual_seed(0)
    model = models.LeNet()
    losses = []

    class Losses(train.Callback):
        def on_step_end(self, trainer):
            losses.append(trainer.running_loss())

    loader = data.DataLoader(
        data.ArrayDataset(images, labels),
        BATCH,
        shuffle=True,
        generator=1,
        transform=transforms.Normalize(0.13, 0.31),
    )
    trainer = train.Trainer(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.05, momentum=0.9),
        metrics={"accuracy": metrics.Accuracy()}, callbacks=[Losses()],
    )  # fmt: skip
    trainer.fit(loader, epochs=1)
    return np.array(losses), {name: on_host(p.data).copy() for name, p in model.named_parameters()}


def test_lenet_on_real_digits_takes_the_course_of_numpy():
    require_simt()
    images, labels = (array[: STEPS * BATCH] for array in data.open_dataset(MNIST).train.arrays)
    losses, weights = lenet_run(images, labels)
    with gpudl.use_backend("simt"):
        simt_losses, simt_weights = lenet_run(images, labels)
    assert losses[-1] < 0.9 * losses[0], "the run must learn something for the comparison to mean something"
    np.testing.assert_allclose(simt_losses, losses, rtol=1e-4)
    for name, weight in weights.items():
        # Rounding differs in every sum, and 40 steps carry it on.
        np.testing.assert_allclose(simt_weights[name], weight, rtol=1e-3, atol=1e-4, err_msg=name)


MODELS = {
    "lenet": lambda: models.LeNet(image_size=12),
    "residual": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.GroupNorm(2, 8), nn.GELU())),
        nn.Dropout2d(0.1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LayerNorm(32), nn.Dropout(0.2),
        nn.Linear(32, 10),
    ),
}  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-4),
    "adamw": lambda p: optim.AdamW(p, 1e-3),
    "rmsprop": lambda p: optim.RMSprop(p, 1e-3),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_step_touches_no_array_on_the_host(model, optimizer):
    """What CuPy would compute, copy or read back on a GPU is an error here: see `kernels_only`."""
    require_simt()
    with gpudl.use_backend("simt"), device_arrays():
        net = MODELS[model]()
        for parameter in net.parameters():
            parameter.data = on_device(parameter.data)
        stepper = OPTIMIZERS[optimizer](net.parameters())
        criterion, accuracy, mean = (
            nn.CrossEntropyLoss(label_smoothing=0.1),
            metrics.Accuracy(),
            metrics.Mean(),
        )
        average = optim.EMA(net, 0.99)
        rng = np.random.default_rng(0)
        x = on_device(rng.standard_normal((4, 1, 12, 12)).astype(np.float32))
        y = on_device(rng.integers(0, 10, 4))

        def step():
            net.zero_grad()
            prediction = net(x)
            loss = criterion(prediction, y)
            net.backward(criterion.backward())
            optim.clip_grad_norm_(net.parameters(), 0.5)
            optim.clip_grad_value_(net.parameters(), 0.1)
            stepper.step()
            average.update()
            mean.update(loss, len(x))
            accuracy.update(prediction, y)

        step()  # makes what stays
        with kernels_only():
            step()
        for parameter in net.parameters():
            assert isinstance(parameter.data, DeviceArray)
        assert np.isfinite(mean.compute())

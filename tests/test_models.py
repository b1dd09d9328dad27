"""Models: published parameter counts and work, torchvision's keys, gradients, training of the head alone."""

import copy

import numpy as np
import pytest

import gpudl
from gpudl import models, nn
from tests.support.arrays import assert_refuses, bad_calls, random_array

# Parameters for 1000 classes, and multiply-adds of one 224x224 image in units of 1e9 as torchvision's pages state
# them (GFLOPS there), to the digits given.
PUBLISHED = [
    (models.resnet18, 11_689_512, 1.81),
    (models.resnet34, 21_797_672, 3.66),
    (models.resnet50, 25_557_032, 4.09),
    (lambda: models.VGG(11), 132_863_336, 7.61),
    (lambda: models.VGG(16, batch_norm=True), 138_365_992, 15.47),
    (models.MobileNetV2, 3_504_872, 0.30),
]


@pytest.mark.parametrize(("make", "parameters", "giga"), PUBLISHED)
def test_parameters_are_those_published(make, parameters, giga):
    assert sum(parameter.size for parameter in make().parameters()) == parameters


@pytest.mark.parametrize(("make", "giga"), [(models.resnet18, 1.81), (models.MobileNetV2, 0.30)])
def test_work_is_that_published(make, giga):
    assert round(make().summary((1, 3, 224, 224)).flops / 2e9, 2) == giga


def test_keys_are_those_of_torchvision():
    keys = list(models.resnet18().state_dict())
    assert len(keys) == 122
    assert keys[:6] == [
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked",
    ]  # fmt: skip
    assert "layer2.0.downsample.0.weight" in keys
    assert "layer2.0.downsample.1.running_var" in keys
    assert "layer1.0.downsample.0.weight" not in keys
    assert keys[-2:] == ["fc.weight", "fc.bias"]
    assert "layer1.0.downsample.0.weight" in models.resnet50().state_dict()
    assert "layer4.2.conv3.weight" in models.resnet50().state_dict()
    vgg = models.VGG(11, num_classes=2, in_channels=1).state_dict()
    assert [k for k in vgg if k.endswith("weight")] == [
        f"features.{i}.weight" for i in (0, 3, 6, 8, 11, 13, 16, 18)
    ] + [f"classifier.{i}.weight" for i in (0, 3, 6)]
    mobile = models.MobileNetV2().state_dict()
    assert len(mobile) == 314
    for key in (
        "features.0.0.weight", "features.0.1.running_mean", "features.1.conv.0.0.weight", "features.1.conv.1.weight",
        "features.1.conv.2.bias", "features.2.conv.0.1.weight", "features.2.conv.1.0.weight", "features.2.conv.2.weight",
        "features.2.conv.3.running_var", "features.18.1.weight", "classifier.1.weight",
    ):  # fmt: skip
        assert key in mobile, key


SMALL = [
    (lambda: models.LeNet(10, 1, 12), (2, 1, 12, 12)),
    (lambda: models.SmallCNN(3, 2, width=2, dropout=0.5), (2, 2, 4, 5)),
    (lambda: models.CifarResNet(8, 4, 2), (2, 2, 8, 8)),
    (lambda: nn.Sequential(models.resnet.Bottleneck(4, 2, 2), models.resnet.Bottleneck(8, 2)), (2, 4, 5, 5)),
    (lambda: models.mobilenet.InvertedResidual(3, 3, 1, 2), (2, 3, 5, 5)),
    (lambda: models.mobilenet.InvertedResidual(3, 4, 2, 1), (2, 3, 5, 5)),
]


@pytest.mark.parametrize(("make", "shape"), SMALL)
def test_gradients(make, shape):
    gpudl.manual_seed(1)
    model = make()
    # kinks of ReLU and ties of pooling are rare, but batch norm of two samples amplifies the step of a difference
    assert gpudl.check_gradient(model, random_array(shape), samples=12, eps=1e-7, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["lenet", "small-cnn", "cifar-resnet20", "resnet18", "mobilenet-v2"])
def test_models_by_name_train_and_evaluate(name):
    model = models.create(name, 7, (1, 32, 32))
    x = random_array((2, 1, 32, 32), np.float32)
    y = model(x)
    assert y.shape == (2, 7)
    assert np.isfinite(y).all()
    dx = model.backward(np.ones_like(y))
    assert dx.shape == x.shape
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval()
    with gpudl.no_grad():
        whole = model(x)
        parts = np.concatenate([model(x[:1]), model(x[1:])])
    # Products of other shapes are summed in another order, through all layers, in float32.
    assert np.allclose(whole, parts, rtol=1e-4, atol=1e-4 * np.abs(whole).max())


def test_a_new_head_trains_alone():
    model = models.CifarResNet(8).requires_grad_(False).eval()
    model.fc = nn.Linear(64, 3)
    model.input_requires_grad = False
    before = copy.deepcopy(model.state_dict())
    y = model(random_array((4, 3, 32, 32), np.float32))
    assert model.backward(np.ones_like(y)) is None
    assert [name for name, p in model.named_parameters() if p.grad is not None] == ["fc.weight", "fc.bias"]
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_weights_load_by_key():
    source, target = models.CifarResNet(8), models.CifarResNet(8)
    target.load_state_dict(source.state_dict())
    x = random_array((2, 3, 16, 16), np.float32)
    assert np.array_equal(source.eval()(x), target.eval()(x))


@bad_calls(
    (
        "shape",
        lambda: models.create("lenet", 10, (28, 28)),
        ValueError,
        "image_shape must be (C, H, W), got (28, 28)",
    ),
    (
        "name",
        lambda: models.create("alexnet", 10, (3, 32, 32)),
        ValueError,
        "name must be one of lenet, small-cnn",
    ),
    (
        "square",
        lambda: models.create("lenet", 10, (1, 28, 32)),
        ValueError,
        "lenet needs square images, got 28x32",
    ),
    ("small", lambda: models.LeNet(image_size=8), ValueError, "LeNet: image_size must be at least 12, got 8"),
    ("depth", lambda: models.CifarResNet(18), ValueError, "CifarResNet: depth must be 6n + 2, got 18"),
    ("vgg", lambda: models.VGG(12), ValueError, "VGG: depth must be one of 11, 13, 16, 19, got 12"),
    ("classes", lambda: models.LeNet(0), ValueError, "Linear: out_features must be at least 1, got 0"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)


def test_names():
    assert models.names()[0] == "lenet"
    assert len(models.names()) == 10

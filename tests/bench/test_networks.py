"""Tables of networks: the layers of gpudl's models, published counts, work by hand."""

import collections
import math

import pytest

from gpudl import models, nn
from gpudl.bench import networks
from gpudl.bench.operators.conv2d import Layer

MODELS = [
    (networks.LENET, models.LeNet, (1, 28, 28)),
    (networks.CIFAR_RESNET20, lambda: models.CifarResNet(20), (3, 32, 32)),
    (networks.RESNET18, models.resnet18, (3, 224, 224)),
    (networks.MOBILENET_V2, models.MobileNetV2, (3, 224, 224)),
]
# Parameters, and multiply-adds of one image in units of 1e9 as torchvision's pages state them.
PUBLISHED = [
    (networks.RESNET50, 25_557_032, 4.09),
    (networks.RESNEXT50, 25_028_904, 4.23),
    (networks.VGG16, 138_357_544, 15.47),
    (networks.MOBILENET_V2, 3_504_872, 0.30),
    (networks.RESNET18, 11_689_512, 1.81),
]
ALL = [*networks.SMALL, *networks.LARGE, networks.RESNET18]


@pytest.mark.parametrize(
    ("network", "parameters", "giga"), PUBLISHED, ids=lambda value: getattr(value, "name", "")
)
def test_counts_are_those_published(network, parameters, giga):
    assert sum(map(math.prod, network.parameter_shapes)) == parameters
    assert round(network.multiply_adds / 1e9, 2) == giga


def convolutions_of(model):
    """Weight shape, stride, padding and groups of each convolution, and how often."""
    return collections.Counter(
        (each.weight.shape, each.stride, each.padding, each.groups)
        for each in model.modules()
        if isinstance(each, nn.Conv2d)
    )


def convolutions_in(network):
    found = collections.Counter()
    for each in network.convolutions:
        found[each.weight_shape, (each.stride,) * 2, (each.padding,) * 2, each.groups] += each.occurs
    return found


@pytest.mark.parametrize(("network", "make", "image"), MODELS, ids=lambda value: getattr(value, "name", ""))
def test_layers_are_those_of_the_model(network, make, image):
    model = make()
    assert convolutions_in(network) == convolutions_of(model)
    assert sorted(network.parameter_shapes) == sorted(p.shape for p in model.parameters())
    # The FLOPs of every layer depend on the heights in the table.
    assert 2 * network.multiply_adds == model.summary((1, *image)).flops
    assert network.linears == tuple(
        (m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)
    )


def test_convolutions_of_vgg_and_resnet50_are_those_of_the_models():
    """Their shapes alone: making their values takes a second."""
    vgg = convolutions_in(networks.VGG16).items()
    assert sum(count for _, count in vgg) == 13
    assert all(key[1:] == ((1, 1), (1, 1), 1) and key[0][2:] == (3, 3) for key, _ in vgg)
    assert sum(each.occurs for each in networks.RESNET50.convolutions) == 53
    assert sum(each.occurs for each in networks.RESNEXT50.convolutions) == 53
    assert [each.name for each in networks.RESNET50.convolutions if each.stride == 2] == [
        "stem", "layer2.0.downsample", "layer2.0.conv2", "layer3.0.downsample", "layer3.0.conv2",
        "layer4.0.downsample", "layer4.0.conv2",
    ]  # fmt: skip
    assert {each.groups for each in networks.RESNEXT50.convolutions if each.R == 3} == {32}


@pytest.mark.parametrize("network", ALL, ids=lambda network: network.name)
def test_heights_follow_from_layer_to_layer(network):
    """What a layer takes, the image or another layer or a pool gives."""
    image = (network.convolutions[0].C, network.convolutions[0].H)
    given = {image, *network.activation_shapes}
    given |= {
        (pool.C, (pool.H + 2 * pool.padding - pool.kernel) // pool.stride + 1) for pool in network.pools
    }
    assert {(each.C, each.H) for each in network.convolutions} <= given
    assert {(pool.C, pool.H) for pool in network.pools} <= given
    assert sum(each.occurs for each in network.convolutions) >= len(network.convolutions)


def test_layers_alike_are_one_that_occurs_as_often():
    sizes = [(each.C, each.H, each.K, each.R, each.stride) for each in networks.RESNET50.convolutions]
    assert len(set(sizes)) == len(sizes)
    first = next(each for each in networks.RESNET50.convolutions if each.name == "layer1.0.downsample")
    assert (first.C, first.K, first.occurs) == (
        64,
        256,
        4,
    )  # that of the shortcut, and three that end a block


def test_small_networks_are_for_both_devices():
    assert list(networks.batches(networks.LENET)) == [(N, ("cpu", "cuda")) for N in (1, 32, 256)]
    assert list(networks.batches(networks.VGG16)) == [(N, ("cuda",)) for N in (1, 32, 256)]


def test_work_of_a_convolution_by_hand():
    """ResNet-50's 3x3 convolution of 64 channels at 56x56, batch 256: 59.2 GFLOP."""
    layer = Layer(256, 64, 56, 64, 3, 1, 1)
    for direction in ("forward", "backward_data", "backward_weight"):
        work = layer.work(direction)
        assert work.flops == 2 * 256 * 56 * 56 * 64 * 64 * 9
        assert work.bytes_moved("float16") == 2 * (2 * 256 * 64 * 56 * 56 + 64 * 64 * 9)


def test_a_1x1_convolution_with_a_stride_reads_the_pixels_it_takes():
    layer = Layer(8, 256, 56, 512, 1, 2)
    taken, y, weight = 8 * 256 * 28**2, 8 * 512 * 28**2, 256 * 512
    assert layer.work("forward").values == layer.work("backward_weight").values == taken + y + weight
    assert layer.work("backward_data").values == 4 * taken + y + weight  # dx is written whole
    few = Layer(8, 8, 56, 16, 1, 2)  # of 16 bytes a pixel every sector has one that is taken
    assert few.work("forward").values == 8 * 8 * 56**2 + 8 * 16 * 28**2 + 8 * 16

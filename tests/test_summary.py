"""Module.summary: shapes, parameters, FLOPs and bytes that can be worked out by hand; the model stays as it was."""

import numpy as np

import gpudl
from gpudl import nn
from tests.support.arrays import assert_refuses, bad_calls


def model():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
        nn.ReLU(),
        nn.Residual(nn.Conv2d(4, 4, 1, bias=False), nn.ConvTranspose2d(4, 4, 3, padding=1)),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 4, 10),
    )


def test_rows_and_totals():
    network = model()
    network[5].bias.requires_grad = False
    summary = network.summary((5, 2, 6, 8))
    rows = {row.name: row for row in summary.rows}
    assert list(rows) == ["0", "1", "2.branch", "2.shortcut", "3", "4", "5"]
    assert rows["0"].output_shape == (5, 4, 3, 4)
    assert rows["0"].parameters == 4 * 1 * 9 + 4
    assert rows["0"].flops == 2 * (5 * 4 * 3 * 4) * (1 * 9)
    assert rows["0"].bytes == 4 * 5 * 4 * 3 * 4
    assert rows["1"].flops == rows["1"].parameters == 0
    assert rows["2.branch"].flops == 2 * (5 * 4 * 3 * 4) * 4
    assert rows["2.shortcut"].flops == 2 * (5 * 4 * 3 * 4) * (4 * 9)
    assert rows["5"].output_shape == (5, 10)
    assert rows["5"].flops == 2 * 5 * 48 * 10
    assert summary.parameters == 40 + 16 + 148 + 490
    assert summary.trainable == summary.parameters - 10
    assert summary.state_bytes == 4 * summary.parameters
    assert summary.flops == sum(row.flops for row in summary.rows)
    assert summary.output_bytes == 4 * (5 * 48 * 6 + 50)
    text = str(summary)
    assert "2.shortcut ConvTranspose2d  (5, 4, 3, 4)" in text
    assert "parameters: 694 (684 trainable), 2.71 KiB with buffers" in text
    assert "input (5, 2, 6, 8): " in text


def test_layers_that_are_called_with_more_than_x():
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.up = nn.Conv2d(1, 2, 3, 2, 1), nn.ConvTranspose2d(2, 1, 3, 2, 1)

        def forward(self, x, scale=1):
            return self.up(self.down(x), output_size=x.shape) * scale

    decoder = Decoder()
    assert decoder.summary((1, 1, 8, 8)).rows[1].output_shape == (1, 1, 8, 8)
    x = np.ones((1, 1, 8, 8), np.float32)
    assert np.array_equal(decoder(x, scale=2), 2 * decoder(x))


def test_the_model_stays_as_it_was():
    network = model()
    network[1].eval()
    before = gpudl.random.default_generator.state_dict()
    network.summary((1, 2, 6, 8))
    assert network.training
    assert not network[1].training
    assert gpudl.random.default_generator.state_dict() == before
    assert all("forward" not in module.__dict__ for module in network.modules())
    y = network(np.ones((1, 2, 6, 8), np.float32))
    assert network.backward(y).shape == (1, 2, 6, 8)


def test_a_failing_forward_leaves_no_trace():
    network = model()
    assert_refuses(lambda: network.summary((1, 3, 6, 8)), ValueError, "conv2d_forward")
    assert all("forward" not in module.__dict__ for module in network.modules())
    assert network.training


def test_shared_parameters_count_once_and_dtypes_count_bytes():
    layer = nn.Linear(4, 4, dtype=np.float64)
    summary = nn.Sequential(layer, nn.ReLU(), layer).summary((2, 4))
    assert [row.parameters for row in summary.rows] == [20, 0, 0]
    assert summary.parameters == 20
    assert summary.state_bytes == 20 * 8
    assert summary.output_bytes == 3 * 64
    assert nn.ReLU().summary((3,)).rows[0].name == ""


def test_without_parameters_the_buffers_tell_the_dtype():
    layer = nn.BatchNorm1d(3, affine=False, dtype=np.float64)
    assert layer.summary((2, 3)).rows[0].bytes == 2 * 3 * 8


@bad_calls(
    ("type", lambda: model().summary(5), TypeError, "input_shape must be a tuple of ints, got int"),
    ("extent", lambda: model().summary((0, 2)), ValueError, "input_shape must be at least 1, got 0"),
)
def test_bad_calls(call, exception, words):
    assert_refuses(call, exception, words)

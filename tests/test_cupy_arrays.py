"""What the code for CuPy arrays asks of CuPy, on a stand-in that refuses what CuPy 13 refuses."""

import copy

import ml_dtypes
import numpy as np
import pytest

import gpudl
from gpudl import _backend, data, metrics, models, nn, ops, optim, train
from tests.support.arrays import random_array, with_layout
from tests.support.kernels import require_simt
from tests.support.strict_cupy import strict_cupy
from tests.support.tolerances import DTYPES


@pytest.fixture
def cupy():
    require_simt()
    with strict_cupy() as module:
        yield module


@pytest.mark.parametrize("dtype", [*DTYPES, np.uint8], ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4, 5)], ids=str)
def test_arrays_move_in_their_memory_order(cupy, shape, dtype):
    for layout in ("contiguous", "channels_last", "strided") if shape else ("contiguous",):
        x = with_layout(random_array(shape, dtype), layout)
        there = _backend.move(x, "cuda")
        assert (there.shape, there.dtype) == (x.shape, x.dtype)
        if layout == "channels_last":
            assert there.strides == x.strides
        assert _backend.move(there, "cuda") is there
        back = _backend.move(there, "cpu")
        assert (back.dtype, back.tobytes()) == (x.dtype, x.tobytes())
        assert back.strides == there.strides


def fit(epochs, state=None, dtype=np.float32):
    """A run on the GPU; its trainer."""
    gpudl.manual_seed(0)
    with gpudl.use_backend("cuda"):
        model = models.LeNet(image_size=12).to(dtype)
    optimizer = optim.AdamW(model.named_parameters(), 1e-3)
    x, y = random_array((24, 1, 12, 12), dtype), np.random.default_rng(0).integers(0, 10, 24)
    loader = data.DataLoader(data.ArrayDataset(x, y), 8, shuffle=True, generator=1)
    trainer = train.Trainer(
        model, nn.CrossEntropyLoss(), optimizer, metrics={"accuracy": metrics.Accuracy()}, clip_grad_norm=1.0,
        accumulate=2,
    )  # fmt: skip
    if state is not None:
        trainer.load_state_dict(state)
    trainer.fit(loader, loader, epochs=epochs)
    return trainer


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_run_goes_on_from_its_checkpoint(cupy, tmp_path, dtype):
    whole, half = fit(2, dtype=dtype), fit(1, dtype=dtype)
    path = tmp_path / "checkpoint"
    train.save_checkpoint(path, half.state_dict())
    resumed = fit(2, train.load_checkpoint(path), dtype)
    for name, array in whole.model.state_dict().items():
        assert isinstance(array, cupy.ndarray)
        assert resumed.model.state_dict()[name].get().tobytes() == array.get().tobytes(), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_averages_go_on_from_a_checkpoint(cupy, dtype):
    with gpudl.use_backend("cuda"):
        layer = nn.Linear(3, 2, dtype=dtype)
    average = optim.EMA(layer, 0.9)
    average.update()
    state = average.state_dict()
    kept = {name: array.get() + 1 for name, array in state["averages"].items()}
    average.load_state_dict({"updates": 5, "averages": kept})
    assert average.updates == 5
    for name, array in average.state_dict()["averages"].items():
        assert array.get().tobytes() == kept[name].tobytes()
    before = {name: array.get().tobytes() for name, array in layer.state_dict().items()}
    with average.applied():
        for name, array in layer.state_dict().items():
            assert array.get().tobytes() == kept[name].astype(dtype).tobytes()
    assert {name: array.get().tobytes() for name, array in layer.state_dict().items()} == before


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_step_in_every_dtype(cupy, dtype):
    """bfloat16 too, of which CuPy 13 knows how many bytes it has and nothing else."""
    layers = {}
    for device in ("simt", "cuda"):
        gpudl.manual_seed(0)
        with gpudl.use_backend(device):
            net = nn.Sequential(
                nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.GroupNorm(2, 8), nn.Flatten(), nn.LayerNorm(72),
                nn.Linear(72, 5),
            ).to(dtype)  # fmt: skip
            optimizer = optim.SGD(net.parameters(), 0.1, momentum=0.9)
            criterion = nn.MSELoss()
            for step in range(2):
                x, t = random_array((4, 3, 5, 5), dtype, seed=step), random_array((4, 5), dtype, seed=9)
                net.zero_grad(set_to_none=step == 0)
                criterion(net(_backend.move(x, device)), _backend.move(t, device))
                net.backward(criterion.backward())
                optimizer.step()
        layers[device] = {name: _backend.move(array, "cpu") for name, array in net.state_dict().items()}
    for name, array in layers["simt"].items():
        assert layers["cuda"][name].tobytes() == array.tobytes(), name


def test_bfloat16_in_any_layout(cupy):
    x = random_array((2, 3, 4, 5), ml_dtypes.bfloat16)
    there = _backend.move(x, "cuda")
    y = ops.relu_forward(there[:, ::2])
    assert np.array_equal(y.get().view(ml_dtypes.bfloat16), np.maximum(x[:, ::2], 0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_copies(cupy, dtype):
    x = _backend.move(random_array((2, 3, 4, 5), dtype), "cuda")
    layer, before = nn.SiLU(inplace=True), x.get().tobytes()
    assert layer(x) is x
    assert layer.saved_for_backward().get().tobytes() == before
    twin = copy.deepcopy(nn.Parameter(x))
    assert twin.data is not x
    assert (twin.dtype, twin.data.strides, twin.data.get().tobytes()) == (
        x.dtype,
        x.strides,
        x.get().tobytes(),
    )

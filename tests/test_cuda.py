"""What only a GPU can show: streams, captured graphs, CuPy's memory pool. Skipped with its reason where there is none."""

import numpy as np
import pytest

import gpudl
from gpudl import _backend, models, nn, ops, optim

pytestmark = pytest.mark.cuda

SPIN = r"""
extern "C" __global__ void spin(float* x, long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {}
  x[0] = -3;
}
"""


@pytest.fixture
def cupy():
    if (reason := _backend.unavailable_because("cuda")) is not None:
        pytest.skip(f"cuda: {reason}")
    return pytest.importorskip("cupy")


def training_step(cupy, batch=16):
    """A model on the GPU and one step of its training; the loss stays on the device."""
    with gpudl.use_backend("cuda"):
        gpudl.manual_seed(0)
        net = nn.Sequential(models.LeNet(), nn.LogSoftmax(1))
    optimizer = optim.AdamW(net.parameters(), 1e-3)
    criterion = nn.NLLLoss()
    rng = np.random.default_rng(0)
    x = cupy.asarray(rng.standard_normal((batch, 1, 28, 28)).astype(np.float32))
    y = cupy.asarray(rng.integers(0, 10, batch))

    # Streams of their own, as some tests have, do not wait for the one that made all this.
    cupy.cuda.Device().synchronize()

    def step():
        net.zero_grad()
        loss = criterion(net(x), y)
        net.backward(criterion.backward())
        optimizer.step()
        return loss

    return net, step


def weights(net):
    return {name: parameter.data.get().tobytes() for name, parameter in net.named_parameters()}


def test_work_goes_to_the_current_stream_and_nobody_waits(cupy):
    spin = cupy.RawKernel(SPIN, "spin")
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        x = cupy.ones(1024, np.float32)
        ops.relu_forward(x)  # modules are loaded and memory is pooled before anything is timed by order
        stream.synchronize()
        spin((1,), (1,), (x, np.int64(400_000_000)))
        y = ops.relu_forward(x)
        assert not stream.done, "the call waited for the stream, or ran beside it"
    stream.synchronize()
    assert y[0] == 0, "relu ran before the kernel that was first on its stream"
    assert y[1] == 1


def test_a_captured_step_goes_on_as_the_steps_themselves_do(cupy):
    (net, step), (twin, twin_step) = training_step(cupy), training_step(cupy)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        for _ in range(2):  # the pool has all blocks of a step before the capture, which may not allocate
            step()
        stream.begin_capture()
        step()
        graph = stream.end_capture()
        for _ in range(3):
            graph.launch(stream)
        stream.synchronize()
    for _ in range(5):
        twin_step()
    assert weights(net) == weights(twin)


def test_the_same_bits_every_time(cupy):
    ends = set()
    for _ in range(3):
        net, step = training_step(cupy)
        for _ in range(5):
            step()
        ends.add(b"".join(weights(net).values()))
    assert len(ends) == 1


def test_memory_comes_from_the_pool(cupy):
    _, step = training_step(cupy)
    for _ in range(3):
        step()
    cupy.cuda.Device().synchronize()
    free = cupy.cuda.runtime.memGetInfo()[0]
    pool = cupy.get_default_memory_pool().total_bytes()
    for _ in range(10):
        step()
    cupy.cuda.Device().synchronize()
    assert cupy.cuda.runtime.memGetInfo()[0] == free
    assert cupy.get_default_memory_pool().total_bytes() == pool


def test_a_step_is_that_of_numpy(cupy):
    net, step = training_step(cupy)
    gpudl.manual_seed(0)
    host = nn.Sequential(models.LeNet(), nn.LogSoftmax(1))
    host.load_state_dict({name: value.get() for name, value in net.state_dict().items()})
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, 16)
    criterion = nn.NLLLoss()
    expected = criterion(host(x), y)
    assert abs(float(step()) - float(expected)) <= 1e-5 * abs(float(expected))


def test_host_arrays_and_devices_do_not_mix(cupy):
    x = cupy.ones((2, 3), np.float32)
    with pytest.raises(TypeError, match="one device"):
        ops.add_forward(x, np.ones((2, 3), np.float32))
    if cupy.cuda.runtime.getDeviceCount() > 1:
        with cupy.cuda.Device(1):
            other = cupy.ones((2, 3), np.float32)
        with pytest.raises(ValueError, match="device"):
            ops.add_forward(x, other)

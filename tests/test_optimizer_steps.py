"""sgd_step, adam_step and rmsprop_step: many steps over flat arrays against one number at a time."""

import numpy as np
import pytest

import gpudl
from gpudl import ops
from tests.support.arrays import Executor, assert_refuses, bad_calls, random_array
from tests.support.kernels import checked
from tests.support.oracles import optimizers as oracle
from tests.support.tolerances import BFLOAT16, assert_close

F2, F4, F8 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)

# name: (step, oracle, state arrays, rows of hyperparameters)
STEPS = {
    "sgd": (ops.sgd_step, oracle.sgd_step, 1, [
        (0.1, 0, 0, 0, 0, 0),
        (0.1, 0, 0, 0.01, 0, 0),
        (0.1, 0, 0, 0, 0, 1),
        (0.2, 0.9, 0, 0, 0, 0),
        (0.1, 0.8, 0.3, 0.01, 0, 0),
        (0.1, 0.8, 0.3, 0, 0, 1),
        (0.1, 0.8, 1, 0, 0, 1),
        (0.1, 0.8, 1.5, 0, 0, 0),
        (0.1, 0.8, 1.5, 0.01, 0, 1),
        (0.1, 0.7, 0, 0.05, 1, 0),
        (0.1, 0.7, 0, 0, 1, 1),
        (0.1, 0.7, 0, 0.05, 1, 1),
    ]),
    "adam": (ops.adam_step, oracle.adam_step, 3, [
        (1e-3, 0.9, 0.999, 1e-8, 0, 0, 0, 0),
        (1e-2, 0.8, 0.99, 1e-6, 0.1, 0, 0, 0),
        (1e-2, 0.8, 0.99, 1e-6, 0.1, 0, 1, 0),
        (1e-2, 0.9, 0.95, 1e-3, 0, 1, 0, 0),
        (1e-2, 0.9, 0.999, 1e-8, 0.05, 0, 0, 1),
        (1e-2, 0.3, 0.5, 1e-8, 0.05, 1, 1, 1),
        (1e-2, 0.0, 0.9, 1e-8, 0, 0, 0, 0),
    ]),
    "rmsprop": (ops.rmsprop_step, oracle.rmsprop_step, 3, [
        (1e-2, 0.99, 1e-8, 0, 0, 0, 0, 0),
        (1e-2, 0.9, 1e-3, 0.1, 0, 0, 0, 0),
        (1e-2, 0.9, 1e-3, 0, 0, 0, 1, 0),
        (1e-2, 0.9, 1e-4, 0.1, 0.8, 0, 1, 0),
        (1e-2, 0.9, 1e-2, 0, 0, 1, 0, 0),
        (1e-2, 0.9, 1e-2, 0.1, 0.5, 1, 0, 1),
        (1e-2, 0.4, 1e-2, 0, 0, 0, 0, 1),
    ]),
}  # fmt: skip

TICKET = np.zeros(1, np.uint32)

# Ten steps accumulate roundings, and a half-precision state is rounded at each: tolerances of the whole run.
RUN = {F2: (2e-2, 1e-2), BFLOAT16: (1e-1, 6e-2), F4: (2e-5, 2e-6), F8: (1e-11, 1e-12)}


def tables(executor, name, lengths, steps=0, gap=3):
    """One segment per row of hyperparameters, with gaps between them: the tables, and the length of it all."""
    rows = STEPS[name][3]
    offsets = np.cumsum([0] + [length + gap for length in lengths[:-1]])
    segments = np.stack([offsets, lengths, np.arange(len(rows))], 1).astype(np.int64)
    made = (segments, np.array(rows, float), np.full(len(rows), steps, np.int64), np.zeros(1, np.uint32))
    return [executor.array(table) for table in made], int(offsets[-1] + lengths[-1] + gap)


def run(executor, name, dtype, steps=10, lengths=None):
    """Arrays after several steps, and those of the oracle."""
    step, reference, states, rows = STEPS[name]
    lengths = lengths or [5 + i for i in range(len(rows))]
    made, size = tables(executor, name, lengths)
    segments = executor.numpy(made[0])
    p = random_array((size,), dtype, seed=1)
    arrays = [executor.array(array) for array in (p.copy(), *(np.zeros(size, dtype) for _ in range(states)))]
    expected = np.zeros((1 + states, size))
    expected[0] = p
    for t in range(1, steps + 1):
        g = random_array((size,), dtype, seed=100 + t)
        step(executor.array(g), *made, *arrays)
        for (offset, length, _), row in zip(segments, rows, strict=True):
            for i in range(offset, offset + length):
                expected[:, i] = reference(float(g[i]), *expected[:, i], t, *row)
    counted = [0 if name == "sgd" and row[1] == 0 else steps for row in rows]
    assert executor.numpy(made[2]).tolist() == counted
    assert executor.numpy(made[3]).tolist() == [0]
    return [executor.numpy(array) for array in arrays], expected, p, segments


# RMSprop in half precision is tested for one step: centered takes v - mean^2 of two rounded averages, and after
# several steps none of its digits is left.
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in STEPS for dtype in RUN if name != "rmsprop" or dtype.itemsize > 2],
    ids=str,
)
def test_ten_steps(executor, name, dtype):
    arrays, expected, before, segments = run(executor, name, dtype)
    tolerance = RUN[dtype]
    for array, values in zip(arrays, expected, strict=True):
        assert array.dtype == dtype
        assert_close(array, values, tolerance=tolerance)
    inside = np.zeros(len(before), bool)
    for offset, length, _ in segments:
        inside[offset : offset + length] = True
    assert (arrays[0][~inside] == before[~inside]).all()
    assert not any(array[~inside].astype(float).any() for array in arrays[1:])


@pytest.mark.parametrize("dtype", [F2, BFLOAT16], ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_one_step_in_half_precision_rounds_once(executor, name, dtype):
    arrays, expected, *_ = run(executor, name, dtype, steps=1)
    for array, values in zip(arrays, expected, strict=True):
        assert_close(array, values, tolerance=(2.0 ** (-10 if dtype == F2 else -7), 1e-5))


@pytest.mark.parametrize("name", STEPS)
def test_blocks_and_threads_change_no_bit(executor, name):
    rows = len(STEPS[name][3])
    lengths = [1, 200_000, *([7] * (rows - 3)), 300_001]
    before = gpudl.get_num_threads()
    results = set()
    for count in (1, 2, 3):
        gpudl.set_num_threads(count)
        made, size = tables(executor, name, lengths, steps=1)
        state = [executor.array(np.abs(random_array((size,), F4, seed=i))) for i in range(1 + STEPS[name][2])]
        STEPS[name][0](executor.array(random_array((size,), F4, seed=9)), *made, *state)
        results.add(b"".join(executor.numpy(array).tobytes() for array in state))
    gpudl.set_num_threads(before)
    assert len(results) == 1


def optimizer(torch, name, p, row):
    """PyTorch's optimizer of one row of hyperparameters."""
    if name == "sgd":
        lr, momentum, dampening, decay, nesterov, maximize = row
        return torch.optim.SGD([p], lr, momentum, dampening, decay, bool(nesterov), maximize=bool(maximize))
    if name == "adam":
        lr, beta1, beta2, eps, decay, amsgrad, maximize, decoupled = row
        kind = torch.optim.AdamW if decoupled else torch.optim.Adam
        return kind([p], lr, (beta1, beta2), eps, decay, bool(amsgrad), maximize=bool(maximize))
    lr, alpha, eps, decay, momentum, centered, maximize, inside = row
    if inside:
        return None  # PyTorch has no such option
    return torch.optim.RMSprop([p], lr, alpha, eps, decay, momentum, bool(centered), maximize=bool(maximize))


@pytest.mark.parametrize(
    ("segments", "counts"),
    [
        ([[0, 5, 1], [5, 3, 0], [8, 4, -1], [12, 0, 0], [12, 6, 1]], [3, 0, 5, 0, 2]),
        ([[0, 2, 1], [2, 3, 1], [5, 3, 1], [12, 5, 1], [17, 1, 1]], [3, 3, 0, 3, 3]),
    ],
    ids=["apart", "side by side"],
)
@pytest.mark.parametrize("name", STEPS)
def test_segments_share_rows_or_are_left_alone(executor, name, segments, counts):
    step, _, states, rows = STEPS[name]
    hyperparameters = np.array(rows[3:5], float)
    g, p = (random_array((18,), F4, seed=seed) for seed in (0, 1))
    state = [np.zeros(18, F4) for _ in range(states)]
    arrays = [executor.array(array.copy()) for array in (p, *state)]
    steps, table = executor.array(np.array(counts)), executor.array(np.array(segments))
    ticket = executor.array(TICKET.copy())
    step(executor.array(g), table, executor.array(hyperparameters), steps, ticket, *arrays)
    after = [count + (row >= 0) for count, (_, _, row) in zip(counts, segments, strict=True)]
    assert executor.numpy(steps).tolist() == after
    assert (executor.numpy(arrays[0])[8:12] == p[8:12]).all()
    for (offset, length, row), count in zip(segments, counts, strict=True):
        span = slice(offset, offset + length)
        alone = [executor.array(array[span].copy()) for array in (g, p, *state)]
        made = [[[0, length, row]], hyperparameters, [count], TICKET]
        step(alone[0], *(executor.array(np.array(table)) for table in made), *alone[1:])
        for whole, part in zip(arrays, alone[1:], strict=True):
            assert (executor.numpy(whole)[span] == executor.numpy(part)).all()


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_one_launch_which_counts_once(name):
    """Over several blocks and groups; the last block counts, whichever of them that is."""
    step, _, states, rows = STEPS[name]
    lengths = [5000, 0, *([7] * (len(rows) - 3)), 1200]
    for order in ("forward", "reverse", "random"):
        made, size = tables(Executor("numpy"), name, lengths)
        state = [np.abs(random_array((size,), F4, seed=i)) for i in range(1 + states)]
        for t in range(1, 4):
            with checked(order, seed=t) as executor:
                step(random_array((size,), F4, seed=9), *made, *state)
                (launch,) = executor.profile().launches
                assert executor.findings() == []
            assert (launch.count, launch.grid) == (1, (-(-size // 1024), 1, 1))
            counted = [0 if name == "sgd" and row[1] == 0 else t for row in rows]
            assert made[2].tolist() == counted
            assert made[3].tolist() == [0]


@pytest.mark.torch
@pytest.mark.parametrize("dtype", [F4, F8], ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_pytorch_agrees(name, dtype):
    torch = pytest.importorskip("torch")
    step, _, states, rows = STEPS[name]
    for row in rows:
        p = random_array((100,), dtype, seed=1)
        parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
        reference = optimizer(torch, name, parameter, row)
        if reference is None:
            continue
        state = [np.zeros_like(p) for _ in range(states)]
        for t in range(1, 21):
            g = random_array((100,), dtype, seed=50 + t)
            parameter.grad = torch.from_numpy(g.copy())
            reference.step()
            step(g, np.array([[0, 100, 0]]), np.array([row], float), np.array([t - 1]), TICKET, p, *state)
        assert_close(p, parameter.detach().numpy(), tolerance=RUN[dtype], where=str(row))


G, P, S = np.ones(4, np.float32), np.ones(4, np.float32), np.zeros(4, np.float32)
TABLE, ZERO = np.array([[0, 4, 0]]), np.zeros(1, np.int64)
SGD, ADAM = np.array([[0.1, 0, 0, 0, 0, 0.0]]), np.array([[0.1, 0.9, 0.9, 1e-8, 0, 0, 0, 0]])


def read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@bad_calls(
    ("list", lambda: ops.sgd_step([1.0], TABLE, SGD, ZERO, TICKET, P), TypeError, "grad must be a NumPy or CuPy array, got list"),
    ("rank", lambda: ops.sgd_step(G[None], TABLE, SGD, ZERO, TICKET, P), ValueError, "grad must have shape (M,), got (1, 4)"),
    ("lengths", lambda: ops.sgd_step(G, TABLE, SGD, ZERO, TICKET, P[:3]), ValueError, "param must have shape (4,)"),
    ("stride", lambda: ops.sgd_step(np.ones(8, "f4")[::2], TABLE, SGD, ZERO, TICKET, P), ValueError, "grad must be contiguous"),
    ("read-only", lambda: ops.sgd_step(G, TABLE, SGD, ZERO, TICKET, read_only(P)), ValueError, "param must be writeable"),
    ("segments list", lambda: ops.sgd_step(G, [[0, 4, 0]], SGD, ZERO, TICKET, P), TypeError, "segments must be a NumPy or CuPy array"),
    ("segments dtype", lambda: ops.sgd_step(G, TABLE.astype("i4"), SGD, ZERO, TICKET, P), TypeError, "segments must be int64, got int32"),
    ("segments shape", lambda: ops.sgd_step(G, TABLE[:, :2].copy(), SGD, ZERO, TICKET, P), ValueError, "segments must have shape (n, 3)"),
    ("segments stride", lambda: ops.sgd_step(G, np.zeros((2, 3), "i8")[::2, ::-1], SGD, ZERO, TICKET, P), ValueError, "segments must be contiguous"),
    ("columns", lambda: ops.sgd_step(G, TABLE, SGD[:, :4].copy(), ZERO, TICKET, P), ValueError, "hyperparameters must have shape (groups, 6)"),
    ("table dtype", lambda: ops.sgd_step(G, TABLE, SGD.astype("f4"), ZERO, TICKET, P), TypeError, "hyperparameters must be float64"),
    ("row", lambda: ops.sgd_step(G, TABLE + np.array([0, 0, 1]), SGD, ZERO, TICKET, P), ValueError, "rows of segments must be in [-1, 1), got [1]"),
    ("low row", lambda: ops.sgd_step(G, TABLE - np.array([0, 0, 2]), SGD, ZERO, TICKET, P), ValueError, "got [-2]"),
    ("beyond", lambda: ops.sgd_step(G, TABLE + np.array([1, 0, 0]), SGD, ZERO, TICKET, P), ValueError, "disjoint spans of [0, 4)"),
    ("overlap", lambda: ops.sgd_step(G, np.array([[0, 3, 0], [2, 2, 0]]), SGD, np.array([0, 0]), TICKET, P), ValueError, "disjoint"),
    ("far beyond", lambda: ops.sgd_step(G, np.array([[1, 2**63 - 1, 0]]), SGD, ZERO, TICKET, P), ValueError, "disjoint spans of [0, 4)"),
    ("order", lambda: ops.sgd_step(G, np.array([[2, 2, 0], [0, 2, 0]]), SGD, np.array([0, 0]), TICKET, P), ValueError, "in ascending order, got [[2, 2], [0, 2]]"),
    ("counts", lambda: ops.sgd_step(G, TABLE, SGD, np.array([0, 0]), TICKET, P), ValueError, "steps must have shape (1,), one per segment"),
    ("count", lambda: ops.sgd_step(G, TABLE, SGD, np.array([-1]), TICKET, P), ValueError, "steps must be at least 0, got -1"),
    ("frozen counts", lambda: ops.sgd_step(G, TABLE, SGD, read_only(ZERO), TICKET, P), ValueError, "steps must be writeable"),
    ("no buffer", lambda: ops.sgd_step(G, TABLE, SGD + np.array([0, 0.9, 0, 0, 0, 0]), ZERO, TICKET, P), ValueError, "momentum needs momentum_buffer"),
    ("no maximum", lambda: ops.adam_step(G, TABLE, ADAM + np.array([0, 0, 0, 0, 0, 1, 0, 0]), ZERO, TICKET, P, S, S), ValueError, "amsgrad needs"),
    ("adam dtypes", lambda: ops.adam_step(G, TABLE, ADAM, ZERO, TICKET, P, S, S.astype("f8")), TypeError, "exp_avg_sq float64"),
    ("no mean", lambda: ops.rmsprop_step(G, TABLE, np.array([[0.1, 0.1, 0.1, 0.1, 0.1, 1, 0, 0]]), ZERO, TICKET, P, S), ValueError, "centered needs grad_avg"),
    ("no ticket", lambda: ops.sgd_step(G, TABLE, SGD, ZERO, None, P), TypeError, "ticket must be a NumPy or CuPy array, got None"),
    ("ticket dtype", lambda: ops.adam_step(G, TABLE, ADAM, ZERO, ZERO, P, S, S), TypeError, "ticket must be uint32, got int64"),
    ("ticket shape", lambda: ops.adam_step(G, TABLE, ADAM, ZERO, np.zeros(2, "u4"), P, S, S), ValueError, "ticket must have shape (1,), a counter of the kernel, got (2,)"),
    ("frozen ticket", lambda: ops.adam_step(G, TABLE, ADAM, ZERO, read_only(TICKET), P, S, S), ValueError, "ticket must be writeable"),
    ("ticket", lambda: ops.adam_step(G, TABLE, ADAM, ZERO, np.ones(1, "u4"), P, S, S), ValueError, "ticket must be 0, got 1"),
)  # fmt: skip
def test_bad_calls(call, exception, words):
    before = P.copy()
    assert_refuses(call, exception, words)
    assert (before == P).all()
    assert ZERO[0] == TICKET[0] == 0

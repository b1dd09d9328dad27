"""Operators that are measured: their problems, and that every contender of the CPU passes on small ones."""

import dataclasses
import functools
import json
import sys

import numpy as np
import pytest

from gpudl import ops
from gpudl.bench import operators, training
from gpudl.bench.contender import CONTENDERS
from gpudl.bench.cpu import CpuDevice
from gpudl.bench.device import Ceilings, host_float64
from gpudl.bench.measure import cast, error_of, measure
from gpudl.bench.operators import (
    _large,
    activations,
    batch_norm,
    batch_norm_relu,
    conv1d,
    conv2d,
    conv_transpose2d,
    counts,
    dropout,
    epoch,
    flat,
    group_norm,
    layer_norm,
    linear,
    losses,
    moves,
    noise,
    optimizers,
    pool,
    softmax,
    step,
    transforms,
)
from gpudl.bench.problem import OPERATORS
from tests.support.arrays import assert_refuses

operators.load()

try:
    import torch
except ImportError:
    torch = None

IMAGE = (2, 3, 5, 7)
CONVOLUTIONS = (
    conv2d.Layer(2, 8, 9, 6, 3, 2, 1, 2, "with groups and a stride"),
    conv2d.Layer(3, 6, 7, 6, 3, 1, 1, 6, "depthwise"),
    # PyTorch 2.13 writes beyond its memory where a 1x1 convolution with a stride has 5 channels and 7 filters.
    conv2d.Layer(2, 8, 8, 16, 1, 2, name="1x1"),
)
LAYER = optimizers.Model("three tensors", ((3, 4), (7,), (2, 5)))


class Untimed(CpuDevice):
    """Verifies what it is given and calls every turn a second."""

    def turn(self, calls, count):
        return [1.0] * count


@functools.cache
def small_problems():
    """Of each operator, through the functions that make its problems."""
    problems = [
        activations.add_problem(IMAGE), moves.flatten_problem(IMAGE), moves.pad_problem(IMAGE, 2),
        moves.concat_problem(IMAGE, (2, 4, 5, 7)), moves.unflatten_problem(IMAGE), moves.crop_problem(IMAGE, 2),
        moves.split_problem(IMAGE, (2, 4, 5, 7)), noise.noise_problem((4, 8, 64, 64)),
    ]  # fmt: skip
    problems += [noise.words_problem((131_072,)), noise.words_problem((1024, 128))]
    problems += [noise.number_problem(kind, 131_072) for kind in noise.MOMENTS]
    problems += [flat.problem(name, 1001) for name in flat.PASSES]
    for each in activations.ACTIVATIONS:
        problems += [activations.forward_problem(each.name, IMAGE), activations.backward_problem(each, IMAGE)]
    for kind in batch_norm.COSTS:
        problems += [batch_norm.problem(kind, shape) for shape in (IMAGE, (9, 5), (4, 3, 6))]
    problems += [batch_norm_relu.problem(kind, (4, 3, 9, 9)) for kind in batch_norm_relu.COSTS]
    for direction in linear.ARRAYS:
        problems += [
            linear.problem(direction, (6, 5, 4)), conv1d.problem(direction, (2, 3, 11, 4, 3)),
            conv_transpose2d.problem(direction, (2, 3, 5, 4)),
        ]  # fmt: skip
        problems += [getattr(conv2d, f"{direction}_problem")(layer) for layer in CONVOLUTIONS]
    for k in (1, 3):
        problems.append(counts.class_problem("top_k_correct", (17, 11), k=k))
    problems += [counts.class_problem("confusion_counts", (50, 11)), counts.sum_problem(33)]
    for direction in dropout.ARRAYS:
        problems += [dropout.problem(direction, (128, 64), p=p) for p in (0.2, 0.5)]
        problems.append(dropout.problem(direction, (16, 8, 8, 8)))
        problems.append(dropout.problem(direction, (128, 80, 2, 2), op="dropout2d"))
    problems += [group_norm.forward_problem((2, 6, 5, 5), 3), group_norm.backward_problem((2, 6, 5, 5), 3)]
    problems += [layer_norm.forward_problem((4, 3, 7)), layer_norm.backward_problem((4, 3, 7))]
    for direction in ("forward", "backward"):
        problems += [losses.class_problem(name, direction, (6, 5)) for name in losses.CLASS_LOSSES]
        problems.append(losses.class_problem("cross_entropy", direction, (2, 5, 3, 4)))
        problems += [losses.elementwise_problem(each, direction, (6, 5)) for each in losses.ELEMENTWISE]
        problems += [getattr(softmax, f"{direction}_problem")(name, (6, 5)) for name in softmax.NAMES]
        for kind, size in small_pools():
            problems.append(getattr(pool, f"{direction}_problem")(kind, size))
    problems += [pool.indices_problem(pool.window((2, 3, 9, 7), *numbers)) for numbers in ((2, 2), (3, 2, 1))]
    problems += [optimizers.step_problem(kind, LAYER) for kind in optimizers.KINDS]
    problems += [optimizers.clip_problem(LAYER), optimizers.average_problem(LAYER)]
    problems += [
        transforms.flip_problem((3, 3, 9, 8)), transforms.crop_problem((3, 3, 9, 8)),
        transforms.normalize_problem((3, 3, 9, 8)), transforms.affine_problem((3, 3, 9, 8)),
        transforms.erase_problem((3, 3, 9, 8)), transforms.resize_problem((3, 3, 9, 8), (5, 4)), transforms.resize_problem((3, 3, 9, 8), (12, 11)),
        transforms.color_problem((3, 3, 9, 8)), transforms.augment_problem((3, 3, 9, 8)),
    ]  # fmt: skip
    problems += [step.problem("LeNet", 4), step.problem("LeNet", 64), step.problem("CIFAR ResNet-20", 2)]
    problems += [
        epoch.epoch_problem("LeNet", few_images((1, 28, 28), 128)),
        epoch.epoch_problem("CIFAR ResNet-20", few_images((3, 32, 32), 32)),
        epoch.accuracy_problem("LeNet", few_images((1, 28, 28)), accuracy=0.0),
        epoch.accuracy_problem("CIFAR ResNet-20", few_images((3, 32, 32), 32), accuracy=0.0),
    ]  # fmt: skip
    return problems


def small_pools():
    shape = (2, 3, 8, 8)
    return [
        ("max_pool2d", pool.window(shape, 3, 2, 1)), ("avg_pool2d", pool.window(shape, 3, 2, 1)),
        ("adaptive_avg_pool2d", pool.adaptive(shape, 3)), ("adaptive_max_pool2d", pool.adaptive(shape, 3)),
        ("global_avg_pool2d", pool.mean(shape)),
    ]  # fmt: skip


def few_images(image, count=256):
    return training._generated(count, image, "nothing")


def rows_of(problem, names=None):
    those = [
        each for each in CONTENDERS[problem.operator].values()
        if "cpu" in each.devices and (names is None or each.name in names)
    ]  # fmt: skip
    if torch is not None:
        torch.default_generator.manual_seed(0)  # of its dropout and its noise, of which shares are compared
    return measure(problem, those, Untimed(), Ceilings(1e10, {"float32": 1e11}), 0.1)


def passes(row):
    """Or cannot, for a known reason."""
    if row.contender.startswith("PyTorch") and torch is None:
        return row.status == "unsupported" and "gpudl[bench]" in row.detail
    return row.status == "ok" or (row.status == "unsupported" and "no fused RMSprop" in row.detail)


def test_every_operator_has_a_small_problem_here():
    assert {problem.operator for problem in small_problems()} == set(OPERATORS)


def test_every_operator_of_ops_is_measured():
    by_others = {"flat_average": "ema_update", "flat_clip_norm": "clip_grad_norm"}
    missing = [name for name in ops.__all__ if by_others.get(name, name) not in OPERATORS]
    assert missing == [], "operators without a benchmark: give them problems in gpudl/bench/operators"


@pytest.mark.parametrize("name", OPERATORS)
def test_contenders_pass(name):
    """PyTorch's too, where it is installed."""
    for problem in small_problems():
        if problem.operator == name:
            for row in rows_of(problem):
                assert passes(row), (row.workload, row.contender, row.error, row.detail)
                json.dumps(dataclasses.asdict(row), allow_nan=False)  # as a record has it


def test_a_contender_whose_library_is_missing_is_unsupported(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    rows = {row.contender: row for row in rows_of(activations.forward_problem("relu", IMAGE))}
    assert {name: row.status for name, row in rows.items()} == {
        "gpudl": "ok", "NumPy": "ok", "PyTorch": "unsupported",
    }  # fmt: skip
    assert rows["PyTorch"].detail.endswith(": pip install 'gpudl[bench]'")


# Random numbers, counts, images and whole networks have one dtype.
IN_FLOAT32 = {
    "confusion_counts", "top_k_correct", "philox_uint32", "philox_uint32_rows", "philox_uniform", "philox_normal",
    "ema_update", "training_step", "training_epoch", "lenet_to_accuracy", "cifar_resnet_to_accuracy",
    "image_affine", "image_augment", "image_color", "image_crop", "image_erase", "image_normalize", "image_resize",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - IN_FLOAT32))
def test_contenders_pass_in_float64(name):
    for problem in small_problems():
        if problem.operator == name:
            for row in rows_of(problem.of("float64")):
                assert "float64" in problem.dtypes
                assert passes(row), (row.workload, row.contender, row.error, row.detail)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gpudl_passes_in_half_precision(dtype):
    for problem in small_problems():
        if dtype in problem.dtypes:
            (row,) = rows_of(problem.of(dtype), ["gpudl"])
            assert row.status == "ok", (row.operator, row.workload, row.error, row.detail)


@pytest.mark.parametrize(
    "layer", [*CONVOLUTIONS, conv2d.Layer(3, 5, 6, 3, 3, 1, 1)], ids=lambda layer: layer.words
)
@pytest.mark.parametrize("direction", ["forward", "backward_data", "backward_weight"])
def test_a_part_of_a_large_convolution_is_verified(monkeypatch, layer, direction):
    """A wrong last sample, or a wrong last filter, is found in it; a right result passes."""
    monkeypatch.setattr(conv2d, "VERIFIED_WHOLE", 0)
    problem = getattr(conv2d, f"{direction}_problem")(layer)
    ours = CONTENDERS[problem.operator]["gpudl"]
    inputs = problem.inputs(np.random.default_rng(0))
    expected = problem.expected(inputs)
    result = ours.prepare(inputs, dict(problem.settings)).call()

    def error(result):
        parts = problem.part([result])
        assert [part.shape for part in parts] == [right.shape for right in expected]
        assert sum(part.size for part in parts) <= 2 * result.size
        return max(np.abs(part - right).max() for part, right in zip(parts, expected, strict=True))

    assert error(result) < 1e-5
    result[-1] *= 2
    assert error(result) > 0.01


def part_problems():
    """Those whose verification in part another test does not look at."""
    yield activations.add_problem((3, 2, 4, 5))
    yield activations.backward_problem(activations.ACTIVATIONS[0], (3, 2, 4, 5))
    for kind in batch_norm.COSTS:
        yield batch_norm.problem(kind, (3, 6, 4, 5))
    for kind in batch_norm_relu.COSTS:
        yield batch_norm_relu.problem(kind, (3, 6, 4, 5))
    for kind, size in small_pools():
        yield pool.forward_problem(kind, size)
        yield pool.backward_problem(kind, size)


def test_parts_of_large_problems_are_verified(monkeypatch):
    whole = {problem.operator: problem for problem in part_problems()}
    monkeypatch.setattr(_large, "LARGE", 0)
    for problem in part_problems():
        assert problem.expected is not None
        assert whole[problem.operator].expected is None
        for row in rows_of(problem):
            assert passes(row), (row.operator, row.contender, row.error, row.detail)
        wrong = {"dy", "x", "a"} & problem.inputs(np.random.default_rng(0)).keys()
        inputs = problem.inputs(np.random.default_rng(0))
        for name in wrong:
            inputs[name] = inputs[name][::-1, ::-1] if "norm" in problem.operator else inputs[name][::-1]
        right = problem.expected(problem.inputs(np.random.default_rng(0)))
        assert any(not np.allclose(a, b) for a, b in zip(right, problem.expected(inputs), strict=True))


def test_problems_are_whole():
    for name, operator in OPERATORS.items():
        problems = list(operator.problems())
        keys = [problem.key for problem in problems]
        assert len(set(keys)) == len(keys), name
        assert "gpudl" in CONTENDERS[name]
        for problem in problems:
            assert problem.operator == name
            assert problem.work.flops > 0 or problem.work.bytes_moved("float32") > 0
            assert "float32" in problem.dtypes
        if problems and name != "cifar_resnet_to_accuracy":  # time to accuracy needs real images
            assert any("cpu" in problem.devices for problem in problems), name


def test_every_family_has_a_quick_problem_on_each_device():
    for device in ("cpu", "cuda"):
        quick = {
            OPERATORS[problem.operator].family
            for operator in OPERATORS.values()
            for problem in operator.problems()
            if problem.quick and device in problem.devices
        }
        assert quick == {operator.family for operator in OPERATORS.values()}


def work_of(name, words):
    return next(each.work for each in OPERATORS[name].problems() if each.workload == words)


@pytest.mark.parametrize(
    "name",
    ["gaussian_noise_forward", "philox_uniform", "philox_normal", "philox_uint32", "dropout2d_forward"],
)
def test_moments_tell_noise_from_none(name):
    """What leaves its input as it is would be wrong."""
    problem = next(each for each in small_problems() if each.operator == name)
    inputs = problem.inputs(np.random.default_rng(0))
    (untouched,) = (array.astype(np.float64) for array in inputs.values())
    results = problem.compared((untouched,)), problem.expected(inputs)
    assert error_of(*(tuple(map(np.asarray, each)) for each in results)) > 2 * problem.tolerance


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv_transpose2d", "linear"])
def test_a_bias_that_is_left_out_shows_in_every_dtype(name):
    for problem in small_problems():
        if problem.operator == f"{name}_forward":
            problem = problem.of("bfloat16")
            inputs = cast(problem.inputs(np.random.default_rng(0)), "bfloat16")
            exact = {key: array.astype(np.float64) for key, array in inputs.items()}
            right, wrong = (
                operators.gpudl_results(problem, {**exact, "bias": bias})
                for bias in (exact["bias"], 0 * exact["bias"])
            )
            assert error_of(wrong, right) > 2 * problem.allowed_error, problem.workload


def test_work_by_hand():
    assert work_of("relu_forward", "(32, 64, 32, 32)").bytes_moved("float16") == 2 * 2 * 32 * 64 * 32 * 32
    assert work_of("add_forward", "(32, 64, 32, 32)").values == 3 * 32 * 64 * 32 * 32
    linear_work = work_of("linear_forward", "(256, 512) -> 512")
    assert linear_work.flops == 2 * 256 * 512 * 512
    assert linear_work.values == 256 * 512 + 512 * 512 + 512 + 256 * 512
    pool_work = work_of("max_pool2d_backward", "(32, 64, 32, 32) -> 16x16, kernel_size 2, stride 2")
    assert pool_work.bytes_moved("float32") == 4 * (32 * 64 * (32 * 32 + 16 * 16)) + 32 * 64 * 16 * 16
    assert work_of("batch_norm_backward", "(32, 64, 56, 56)").values == 3 * 32 * 64 * 56 * 56
    assert (
        work_of("cross_entropy_backward", "(256, 1000)").bytes_moved("float32") == 2 * 4 * 256_000 + 8 * 256
    )
    assert work_of("dropout_forward", "(128, 512)").values == 2 * 128 * 512
    # The label of a row and the sector of its score; the gradient is written as a whole.
    assert work_of("nll_loss_forward", "(1024, 1024)").bytes_moved("float32") == 40 * 1024
    assert work_of("nll_loss_backward", "(1024, 1024)").bytes_moved("float16") == 40 * 1024 + 2 * 1024**2


def test_work_of_optimizers_is_that_of_a_step_in_bytes_a_parameter():
    parameters = 25_557_032
    for words, each in (("SGD", 12), ("SGD with momentum", 20), ("Adam", 28), ("AdamW", 28), ("RMSprop", 20)):
        name = f"{words.lower().split()[0].removesuffix('w')}_step"
        assert work_of(name, f"{words}, ResNet-50").bytes_moved("float32") == each * parameters


def test_work_of_a_training_step():
    lenet = work_of("training_step", "LeNet, 128 x (1, 28, 28)")
    assert lenet.flops == 128 * 2 * (3 * 416_520 - 28 * 28 * 6 * 25)
    assert lenet.bytes_moved("float32") == 28 * 61_706


def forgets_the_bias(model, optimizer):
    """The last layer's is never moved."""
    step = step_of(model, optimizer)

    def call():
        kept = list(model.parameters())[-1].data.copy()
        loss = step()
        list(model.parameters())[-1].data = kept
        return loss

    return call


def goes_once(model, optimizer):
    step = step_of(model, optimizer)
    losses = []

    def call():
        losses.append(step() if not losses else losses[0])
        return losses[0]

    return call


def climbs(model, optimizer):
    optimizer.param_groups[0]["maximize"] = True
    return step_of(model, optimizer)


def runs(model, optimizer):
    optimizer.param_groups[0]["lr"] = 2 * step.LR
    return step_of(model, optimizer)


def step_of(model, optimizer):
    inputs = step.problem("LeNet", 32).inputs(np.random.default_rng(0))
    return step.gpudl_step(model, optimizer, inputs["x"], inputs["target"])


@pytest.mark.parametrize(
    "wrong", [None, forgets_the_bias, goes_once, climbs, runs], ids=lambda wrong: wrong and wrong.__name__
)
def test_a_step_is_verified_by_losses_and_movements(wrong):
    problem = step.problem("LeNet", 32)
    right = problem.expected(problem.inputs(np.random.default_rng(0)))
    model = training.gpudl_model("LeNet")
    call = (wrong or step_of)(model, step.gpudl_adam(model))
    results = problem.compared(tuple(map(host_float64, step.gpudl_verified(call, model).results())))
    assert len(results) == step.VERIFIED + 10
    error = problem.error(results, right)
    assert (error > 1.2 * problem.allowed_error) if wrong else (error < 0.01 * problem.allowed_error)
    results[-1][0] = np.nan
    assert problem.error(results, right) > 1e300
    assert_refuses(lambda: problem.error(results[:-1], right), ValueError, "results of shapes")


def losses_of(prepared):
    return [float(host_float64(each)) for each in prepared.results()[: step.VERIFIED]]


def test_steps_that_were_taken_can_be_forgotten():
    """A graph takes steps before it is captured, and begins anew in the same memory."""
    inputs = step.problem("LeNet", 8).inputs(np.random.default_rng(0))
    model = training.gpudl_model("LeNet")
    initial = {name: value.copy() for name, value in model.state_dict().items()}
    optimizer = step.gpudl_adam(model)
    prepared = step.gpudl_verified(step.gpudl_step(model, optimizer, **inputs), model)
    first, second = losses_of(prepared), losses_of(prepared)
    place = next(model.parameters()).data.ctypes.data
    step.gpudl_forget(model, initial, optimizer)
    assert losses_of(prepared) == first != second
    assert next(model.parameters()).data.ctypes.data == place


@pytest.mark.torch
def test_steps_of_pytorch_that_were_taken_can_be_forgotten():
    torch = pytest.importorskip("torch")
    inputs = step.problem("LeNet", 8).inputs(np.random.default_rng(0))
    x, target = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["target"])
    model, optimizer = step.torch_adam("LeNet", x)
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    prepared = step.torch_verified(step.torch_step(model, optimizer, x, target), model)
    first, second = losses_of(prepared), losses_of(prepared)
    step.torch_forget(model, initial, optimizer)
    assert losses_of(prepared) == first != second


def test_limits_of_clipping_go_down():
    limits = optimizers.limits()
    first, second, third = (next(limits) for _ in range(3))
    assert first == optimizers.MAX_NORM
    assert first > second > third > 0.999 * first


def test_training_until_accurate_gives_up(monkeypatch):
    monkeypatch.setattr(epoch, "LONGEST", 3)
    reached = iter([0.1, 0.5, 0.9, 0.99])
    with pytest.raises(RuntimeError, match=r"90\.00% of the test images are right after 3 epochs"):
        epoch._until(lambda: next(reached), 0.95)
    assert epoch._until(lambda: next(reached), 0.95) == 0.99


def test_time_to_accuracy_is_one_call():
    """One is timed; each trains anew, so that the next is as long."""
    problem = epoch.accuracy_problem("LeNet", few_images((1, 28, 28)), accuracy=0.0)
    assert problem.calls == 1
    (row,) = rows_of(problem, ["gpudl"])
    assert (row.calls, row.turns, row.low, row.seconds, row.high) == (1, (1.0,), 1.0, 1.0, 1.0)


def test_images_of_folders_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUDL_MNIST", str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=r"GPUDL_MNIST: .*no such file"):
        list(OPERATORS["training_epoch"].problems())
    monkeypatch.setenv("GPUDL_MNIST", str(training.MNIST10K))
    first, *_ = OPERATORS["training_epoch"].problems()
    assert first.workload == "LeNet, 8,000 images of MNIST"
    monkeypatch.setenv("GPUDL_CIFAR10", str(training.MNIST10K))
    _, cifar = OPERATORS["training_epoch"].problems()
    assert (cifar.workload, cifar.devices) == ("CIFAR ResNet-20, 8,000 images of CIFAR-10", ("cpu", "cuda"))


def test_without_files_images_are_generated_as_many_as_the_device_can_train_on(monkeypatch, tmp_path):
    for variable in ("GPUDL_MNIST", "GPUDL_CIFAR10"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(training, "MNIST10K", tmp_path / "missing")
    monkeypatch.setattr(training, "_textures", None)  # listing problems generates nothing
    lenet, few, many = OPERATORS["training_epoch"].problems()
    assert lenet.workload == "LeNet, 8,000 generated images of the shape of MNIST"
    assert (few.workload, few.devices) == (
        "CIFAR ResNet-20, 640 generated images of the shape of CIFAR-10",
        ("cpu",),
    )
    assert (many.workload, many.devices) == (
        "CIFAR ResNet-20, 50,000 generated images of the shape of CIFAR-10", ("cuda",)
    )  # fmt: skip
    assert many.work.bytes == 50_000 * 3 * 32 * 32
    (lenet,), (cifar,) = (
        OPERATORS[name].problems() for name in ("lenet_to_accuracy", "cifar_resnet_to_accuracy")
    )
    assert lenet.workload == "97.5% of the test images, 8,000 generated images of the shape of MNIST"
    assert cifar.workload == "70.0% of the test images, 50,000 generated images of the shape of CIFAR-10"
    assert (cifar.devices, cifar.calls) == (("cuda",), 1)
    assert cifar.compared((np.array(0.71),)) == cifar.expected({})
    assert cifar.compared((np.array(0.69),)) != cifar.expected({})


def test_real_images_without_a_test_set_are_not_trained_on_until_they_are_right(monkeypatch):
    train = few_images((3, 32, 32), 64).train
    for test, count in ((None, 0), (train, 1)):
        images = training.Images("images", True, 64, lambda test=test: (train, test))
        monkeypatch.setattr(training, "cifar10", lambda _, images=images: images)
        assert len(list(OPERATORS["cifar_resnet_to_accuracy"].problems())) == count


def test_many_images_are_verified_by_chance():
    problem = epoch.epoch_problem("CIFAR ResNet-20", training.cifar10(epoch.MANY))
    assert problem.compared((np.array(2.2),)) == problem.expected({})
    assert problem.compared((np.array(2.4),)) != problem.expected({})


def test_generated_images_can_be_learned():
    problem = epoch.accuracy_problem("LeNet", few_images((1, 28, 28), 1600), accuracy=0.4)
    inputs = problem.inputs(np.random.default_rng(0))
    assert inputs["images"].shape == (1600, 1, 28, 28)
    assert inputs["test_images"].shape == (400, 1, 28, 28)
    assert set(inputs["labels"]) == set(inputs["test_labels"]) == set(range(10))
    # Of the mean of all pixels nothing can be learned.
    means = [inputs["images"][inputs["labels"] == kind].mean() for kind in range(10)]
    assert np.ptp(means) < 1
    assert epoch.gpudl_accuracy(**inputs, network="LeNet", accuracy=0.4)() >= 0.4


def test_models_begin_alike_and_leave_the_generator_as_it_was():
    from gpudl import random

    random.manual_seed(7)
    before = random.default_generator.state_dict()
    first, second = (training.gpudl_model("LeNet") for _ in range(2))
    assert random.default_generator.state_dict() == before
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert a is not b
        assert np.array_equal(a.data, b.data)


@pytest.mark.torch
def test_twins_give_what_the_models_give():
    pytest.importorskip("torch")
    from gpudl.bench import torch_models

    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64), np.float32)
    ours = training.gpudl_model("ResNet-50").eval()
    theirs = torch_models.twin("ResNet-50", torch.device("cpu")).eval()
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
    # Float32 through fifty layers in another order of sums.
    assert np.abs(ours(x) - expected).max() <= 1e-4 * np.abs(expected).max()

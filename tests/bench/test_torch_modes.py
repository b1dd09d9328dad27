"""PyTorch's modes are set and given back: they are settings of the process, which are there without a GPU."""

import pytest

torch = pytest.importorskip("torch")

from gpudl.bench import operators, torch_modes  # noqa: E402
from gpudl.bench.contender import CONTENDERS  # noqa: E402
from gpudl.bench.operators.conv2d_cuda import DIRECTIONS  # noqa: E402

pytestmark = pytest.mark.torch


def flags():
    return tuple(getattr(torch.backends.cudnn, name) for name in ("benchmark", "deterministic", "allow_tf32"))


def test_plans_are_deterministic_unless_asked_otherwise():
    before = flags()
    for modes, expected in (
        ({}, (True, True, False)),
        ({"tf32": True}, (True, True, True)),
        ({"deterministic": False}, (True, False, False)),
    ):
        with torch_modes.cudnn(**modes):
            assert flags() == expected
        assert flags() == before


def test_a_function_with_modes_of_its_own():
    def function(x, *, y):
        return flags(), x, y

    wrapped = torch_modes.with_cudnn(function, deterministic=False)
    with torch_modes.cudnn():
        assert wrapped(1, y=2) == ((True, False, False), 1, 2)
        assert flags() == (True, True, False)


def test_products_are_exact_and_settings_come_back():
    matmul = torch.backends.cuda.matmul

    def settings():
        return torch.get_float32_matmul_precision(), *(getattr(matmul, name) for name in torch_modes._REDUCED)

    before = settings()
    with torch_modes.exact_products():
        assert settings() == ("highest", False, False)
    assert settings() == before


def test_convolutions_contend_in_every_mode():
    operators.load()
    for name in DIRECTIONS:
        those = CONTENDERS[name]
        assert those["PyTorch TF32"].math == "tf32"
        assert those["PyTorch, any order"].difference == "not deterministic"
        assert those["PyTorch TF32"].devices == those["PyTorch, any order"].devices == ("cuda",)
